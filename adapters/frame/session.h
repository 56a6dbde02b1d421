// One connection of a device, read, framed and answered in order, on one io_context thread. For the
// .cpp files of this folder: it brings Asio along.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "adapters/frame/byte_stream.h"
#include "adapters/frame/conversation.h"
#include "adapters/frame/line_recorder.h"

namespace gateway::adapters::frame {

/// How long a connection may say nothing before it is closed; 0: for ever.
struct SilenceLimits {
  core::Milliseconds idle{0};
  core::Milliseconds stall{0};  // in the middle of a message
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  /// `recorder` may be null.
  Session(std::unique_ptr<ByteStream> stream, std::unique_ptr<Conversation> conversation,
          SilenceLimits limits, LineRecorder* recorder);

  /// First, once: TLS's handshake, where there is TLS. Why it came to nothing, for a person; empty:
  /// go on with run().
  core::net::Awaitable<std::string> open(core::Milliseconds patience);
  core::net::Awaitable<void> run();
  void close();
  /// Why TLS failed since it was opened; empty: it did not.
  std::string tls_problem() const { return stream_->tls_problem(); }

 private:
  void note(Direction direction, std::string_view bytes) const;
  void arm();

  const std::unique_ptr<ByteStream> stream_;
  boost::asio::steady_timer timer_;
  const std::unique_ptr<Conversation> conversation_;
  const SilenceLimits limits_;
  LineRecorder* const recorder_;
  const std::uint64_t number_;
  std::uint64_t armed_ = 0;  // reads that have ended
  bool is_opening_ = false;
  bool was_late_ = false;
  bool closed_ = false;
};

}  // namespace gateway::adapters::frame
