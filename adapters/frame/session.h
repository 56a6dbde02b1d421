// One connection of a device, read, framed and answered in order, on one io_context thread. For the
// .cpp files of this folder: it brings Asio along.
#pragma once

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <vector>

#include "adapters/frame/conversation.h"
#include "adapters/frame/line_recorder.h"

namespace gateway::adapters::frame {

inline constexpr auto kAwaitOutcome = boost::asio::as_tuple(boost::asio::use_awaitable);

/// How long a connection may say nothing before it is closed; 0: for ever.
struct SilenceLimits {
  core::Milliseconds idle{0};
  core::Milliseconds stall{0};  // in the middle of a message
};

/// One connection: a socket or a serial port.
template <class Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  /// `recorder` may be null.
  Session(Stream stream, std::unique_ptr<Conversation> conversation, SilenceLimits limits,
          LineRecorder* recorder)
      : stream_(std::move(stream)),
        timer_(stream_.get_executor()),
        conversation_(std::move(conversation)),
        limits_(limits),
        recorder_(recorder),
        number_(recorder == nullptr ? 0 : recorder->next_connection()) {}

  core::net::Awaitable<void> run() {
    std::array<char, 16'384> bytes{};
    Framer& framer = conversation_->framer();
    while (!closed_) {
      arm();
      const auto [error, count] =
          co_await stream_.async_read_some(boost::asio::buffer(bytes), kAwaitOutcome);
      ++armed_;
      timer_.cancel();
      std::vector<FrameEvent> events;
      const core::Monotonic now = std::chrono::steady_clock::now();
      if (error == boost::asio::error::operation_aborted && !closed_ && framer.due()) {
        framer.tick(now, events);  // the pause is what the framer waited for
      } else if (error) {
        break;
      } else {
        note(Direction::heard, {bytes.data(), count});
        framer.feed({bytes.data(), count}, now, events);
      }
      for (FrameEvent& event : events) {
        const std::string answer = co_await conversation_->answer(std::move(event));
        if (closed_) co_return;
        if (answer.empty()) continue;
        note(Direction::said, answer);
        const auto [failed, ignored] =
            co_await boost::asio::async_write(stream_, boost::asio::buffer(answer), kAwaitOutcome);
        if (failed) co_return close();
      }
    }
    close();
  }

  void close() {
    closed_ = true;
    timer_.cancel();
    boost::system::error_code ignored;
    stream_.close(ignored);
  }

 private:
  void note(Direction direction, std::string_view bytes) const {
    if (recorder_ == nullptr) return;
    recorder_->note(number_, direction, bytes, std::chrono::steady_clock::now());
  }

  /// Ends the read when the framer or patience wants it.
  void arm() {
    Framer& framer = conversation_->framer();
    const core::Monotonic now = std::chrono::steady_clock::now();
    const auto limit = framer.in_message() ? limits_.stall : limits_.idle;
    const auto due = framer.due();
    if (!due && limit.count() == 0) return;
    timer_.expires_at(due ? *due : now + limit);
    timer_.async_wait([self = this->shared_from_this(), is_pause = due.has_value(),
                       armed = armed_](boost::system::error_code error) {
      // What was due already when the bytes came cannot be called back, and is about nothing now.
      if (error || self->closed_ || armed != self->armed_) return;
      if (!is_pause) return self->close();
      boost::system::error_code ignored;
      self->stream_.cancel(ignored);
    });
  }

  Stream stream_;
  boost::asio::steady_timer timer_;
  std::unique_ptr<Conversation> conversation_;
  const SilenceLimits limits_;
  LineRecorder* const recorder_;
  const std::uint64_t number_;
  std::uint64_t armed_ = 0;  // reads that have ended
  bool closed_ = false;
};

}  // namespace gateway::adapters::frame
