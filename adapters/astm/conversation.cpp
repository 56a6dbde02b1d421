#include "adapters/astm/conversation.h"

#include "adapters/astm/host_query.h"
#include "adapters/astm/link.h"
#include "adapters/astm/message_reader.h"
#include "adapters/frame/crash_point.h"
#include "adapters/mapping/fhir_values.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using core::net::Awaitable;
using frame::FrameEvent;

class AstmConversation final : public frame::Conversation {
 public:
  AstmConversation(ServedDevice& served, const sync::HoldingsDoor& door, const core::Clock& clock,
                   std::string peer)
      : served_(served),
        door_(door),
        clock_(clock),
        peer_(std::move(peer)),
        link_(
            Link::create({served.device.profile.checksum, served.device.profile.frame_bytes_max})) {
  }

  frame::Framer& framer() override { return *link_; }

  Awaitable<std::string> answer(FrameEvent event) override {
    switch (event.kind) {
      case FrameEvent::Kind::reply:
        co_return std::move(event.bytes);
      case FrameEvent::Kind::opened:
        served_.traffic.see(clock_.wall());
        forget();
        is_refused_ = false;
        if (door_.get()) co_return std::string(1, kAck);
        link_->refuse();
        served_.traffic.count_refused();
        co_return std::string(1, kNak);
      case FrameEvent::Kind::part:
        served_.traffic.see(clock_.wall());
        co_return co_await take_part(std::move(event.bytes));
      default:
        // What is not whole stays with the letters until the device sends it again.
        forget();
        co_return std::string();
    }
  }

 private:
  void forget() {
    text_.clear();
    begun_ = 0;
  }

  Awaitable<std::string> take_part(std::string part) {
    // What came in the same breath as a part that was refused: its message has a hole.
    if (is_refused_ && !part.starts_with('H')) co_return std::string(1, kNak);
    is_refused_ = false;
    const auto holdings = door_.get();
    core::Status done =
        holdings ? core::Status() : core::Error(core::Code::locked, "the gateway is locked");
    if (text_.size() + part.size() > served_.device.options.message_bytes_max) {
      done = core::Error(core::Code::invalid, cat("the message is longer than device.", name(),
                                                  ".message_max_mb allows"));
    }
    if (done.ok()) done = co_await store(*holdings, std::move(part));
    if (done.ok()) co_return std::string(1, kAck);
    core::log_warn("astm", cat("device ", name(), ": ", done.error().message()));
    link_->refuse();
    is_refused_ = true;
    served_.traffic.count_refused();
    forget();
    co_return std::string(1, kNak);
  }

  /// Durable when it answers: as part of whole messages, or of an unfinished one.
  Awaitable<core::Status> store(sync::Holdings& holdings, std::string part) {
    text_ += part;
    const std::size_t end = whole_messages(text_);
    if (end > 0) {
      std::string rest = text_.substr(end);
      if (core::trim(rest).empty()) rest.clear();
      for (std::string& one : split_messages(std::string_view(text_).substr(0, end)))
        GW_CO_CHECK(co_await take_message(holdings, std::move(one)));
      begun_ = 0;
      text_ = std::move(rest);
      part = text_;
    }
    if (part.empty()) co_return core::Status();
    const auto begun = co_await holdings.intake().take_part(
        begun_, unfinished_message(std::move(part), served_.device, peer_));
    if (!begun.ok()) co_return begun.error();
    begun_ = *begun;
    frame::pass_crash_point("part-committed");
    co_return core::Status();
  }

  Awaitable<core::Status> take_message(sync::Holdings& holdings, std::string bytes) {
    Read read = read_message(std::move(bytes), served_.device, peer_);
    read.incoming->begun = std::exchange(begun_, 0);
    if (read.message) note_clock(*read.message);
    const auto taken = co_await holdings.intake().take(read.incoming);
    if (!taken.ok()) co_return taken.error();
    frame::pass_crash_point("message-committed");
    served_.traffic.count(taken->outcome);
    if (read.kind == Kind::control) served_.traffic.count_control();
    if (taken->outcome == sync::Taken::Outcome::dead) {
      core::log_warn("astm", cat("device ", name(), ": message ", taken->number,
                                 " is kept as a dead letter; see clinic-gateway letters"));
    }
    if (read.kind == Kind::query) answer_device(holdings, *read.message);
    co_return core::Status();
  }

  void note_clock(const Message& message) {
    const std::string written = message.header().field(14).first();
    served_.traffic.clock().note(
        mapping::written_at(written, served_.device.options.profile.time_zone), clock_.wall(),
        false);
  }

  void answer_device(sync::Holdings& holdings, const Message& query) {
    const auto asked = asked_for(query);
    if (!asked) return;
    auto records = holdings.database().read_value<std::string>([&](crypto::Connection& connection) {
      return answer_query(connection, query, *asked, served_.device, clock_);
    });
    if (!records.ok()) {
      core::log_warn(
          "astm", cat("device ", name(), ": a query has no answer: ", records.error().message()));
    } else if (!link_->offer(std::move(*records))) {
      core::log_warn("astm", cat("device ", name(), " asks faster than it takes answers"));
    }
  }

  const std::string& name() const { return served_.device.options.profile.name; }

  ServedDevice& served_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::string peer_;
  std::unique_ptr<Link> link_;
  std::string text_;  // of the transmission, what no message has taken yet
  bool is_refused_ = false;
  std::int64_t begun_ = 0;  // under which number its beginning is kept
};

}  // namespace

std::unique_ptr<frame::Conversation> make_conversation(ServedDevice& served,
                                                       const sync::HoldingsDoor& door,
                                                       const core::Clock& clock, std::string peer) {
  return std::make_unique<AstmConversation>(served, door, clock, std::move(peer));
}

}  // namespace gateway::adapters::astm
