#include "adapters/hl7/mllp_line.h"

#include <vector>

#include "adapters/hl7/mllp_framer.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::net::Awaitable;
using core::net::Connection;

constexpr core::Milliseconds kConnectPatience{10'000};
constexpr std::size_t kAnswerBytesMax = 1U << 20;

core::Error broken(std::string_view what, const Connection::Moved& moved) {
  return {core::Code::lost_answer, cat(what, moved.reason)};
}

}  // namespace

std::shared_ptr<MllpLine> MllpLine::create(boost::asio::any_io_executor loop, const MllpPeer& peer,
                                           std::shared_ptr<core::net::TlsContext> tls,
                                           const core::Clock& clock) {
  Connection::Way way;
  way.tls = tls.get();
  std::shared_ptr<MllpLine> line(new MllpLine(std::move(tls), peer.patience, clock));
  line->connection_ = Connection::create(std::move(loop), peer.url, way);
  return line;
}

Awaitable<core::Status> MllpLine::open() { return connection_->open(kConnectPatience); }

Awaitable<core::Result<OrderAnswer>> MllpLine::say(std::string message, std::string control_id) {
  connection_->watch(patience_);
  const std::string framed = mllp_frame(message);
  for (std::string_view left = framed; !left.empty();) {
    const Connection::Moved moved = co_await connection_->write_some(left);
    left.remove_prefix(moved.bytes);
    if (moved.end != Connection::End::none)
      co_return broken("the message did not get through: ", moved);
  }
  const auto framer = make_mllp_framer(kAnswerBytesMax);
  std::vector<char> bytes(4'096);
  const core::Monotonic until = clock_.monotonic() + patience_;
  while (true) {
    const Connection::Moved moved = co_await connection_->read_some(bytes);
    std::vector<frame::FrameEvent> events;
    framer->feed({bytes.data(), moved.bytes}, clock_.monotonic(), events);
    // Of an answer without its last byte the framer would wait for the pause.
    if (moved.end != Connection::End::none)
      framer->tick(clock_.monotonic() + std::chrono::hours(1), events);
    for (const frame::FrameEvent& event : events) {
      const auto answer = read_order_answer(event.bytes, control_id);
      if (answer) co_return *answer;
    }
    if (moved.end != Connection::End::none)
      co_return broken("the device did not answer the order: ", moved);
    if (clock_.monotonic() >= until)
      co_return core::Error(core::Code::lost_answer,
                            "the device said other things and did not answer the order");
  }
}

}  // namespace gateway::adapters::hl7
