#include "adapters/frame/session.h"

#include <array>
#include <vector>

#include "core/text.h"

namespace gateway::adapters::frame {

using boost::system::error_code;
using core::net::Awaitable;

Session::Session(std::unique_ptr<ByteStream> stream, std::unique_ptr<Conversation> conversation,
                 SilenceLimits limits, LineRecorder* recorder)
    : stream_(std::move(stream)),
      timer_(stream_->executor()),
      conversation_(std::move(conversation)),
      limits_(limits),
      recorder_(recorder),
      number_(recorder == nullptr ? 0 : recorder->next_connection()) {}

Awaitable<std::string> Session::open(core::Milliseconds patience) {
  is_opening_ = true;
  timer_.expires_after(patience);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (error || !self->is_opening_) return;
    self->was_late_ = true;
    self->stream_->close();
  });
  const error_code error = co_await stream_->shake_hands();
  is_opening_ = false;
  timer_.cancel();
  if (!error || closed_) co_return std::string();
  if (was_late_)
    co_return core::cat("the TLS handshake did not end within ", patience.count(), " ms");
  const std::string problem = stream_->tls_problem();
  co_return problem.empty() ? error.message() : problem;
}

Awaitable<void> Session::run() {
  std::array<char, 16'384> bytes{};
  Framer& framer = conversation_->framer();
  while (!closed_) {
    arm();
    const ByteStream::Moved moved = co_await stream_->read_some(bytes);
    ++armed_;
    timer_.cancel();
    std::vector<FrameEvent> events;
    const core::Monotonic now = std::chrono::steady_clock::now();
    if (moved.error == boost::asio::error::operation_aborted && !closed_ && framer.due()) {
      framer.tick(now, events);  // the pause is what the framer waited for
    } else if (moved.error) {
      break;
    } else {
      if (!conversation_->is_private()) note(Direction::heard, {bytes.data(), moved.bytes});
      framer.feed({bytes.data(), moved.bytes}, now, events);
    }
    for (FrameEvent& event : events) {
      const std::string answer = co_await conversation_->answer(std::move(event));
      if (closed_) co_return;
      if (!answer.empty()) {
        note(Direction::said, answer);
        const error_code failed = co_await stream_->write(answer);
        if (failed) co_return close();
      }
      if (conversation_->is_over()) co_return close();
    }
  }
  close();
}

void Session::close() {
  closed_ = true;
  timer_.cancel();
  stream_->close();
}

void Session::note(Direction direction, std::string_view bytes) const {
  if (recorder_ == nullptr) return;
  recorder_->note(number_, direction, bytes, std::chrono::steady_clock::now());
}

/// Ends the read when the framer or patience wants it.
void Session::arm() {
  Framer& framer = conversation_->framer();
  const core::Monotonic now = std::chrono::steady_clock::now();
  const auto limit = framer.in_message() ? limits_.stall : limits_.idle;
  const auto due = framer.due();
  if (!due && limit.count() == 0) return;
  timer_.expires_at(due ? *due : now + limit);
  timer_.async_wait(
      [self = shared_from_this(), is_pause = due.has_value(), armed = armed_](error_code error) {
        // What was due already when the bytes came cannot be called back, and is about nothing now.
        if (error || self->closed_ || armed != self->armed_) return;
        if (!is_pause) return self->close();
        self->stream_->interrupt();
      });
}

}  // namespace gateway::adapters::frame
