#include "adapters/astm/link.h"

#include <algorithm>
#include <array>
#include <deque>

#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using frame::FrameEvent;
using Kind = FrameEvent::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

// LIS01-A2 8.3.
constexpr seconds kReceiverPatience{30};
constexpr seconds kSenderPatience{15};
constexpr seconds kBusyPause{10};
constexpr seconds kContentionPause{20};
constexpr seconds kInterruptPause{15};
constexpr int kSendsMax = 6;
// A device that asks for one specimen after the other does not wait for its answers.
constexpr std::size_t kWaitingMax = 32;
// Ours: a frame whose end got lost is asked for again before the sender gives up.
constexpr seconds kFramePatience{5};
constexpr milliseconds kLineEndPatience{500};
constexpr std::size_t kFrameTextMax = 1U << 20;  // LIS01-A2 says 63,993; one capture sent more

class LinkImpl final : public Link {
 public:
  explicit LinkImpl(LinkOptions options) : options_(options) {}

  void feed(std::string_view bytes, core::Monotonic now, std::vector<FrameEvent>& events) override {
    for (const char c : bytes) take(c, now, events);
  }

  void tick(core::Monotonic now, std::vector<FrameEvent>& events) override {
    if (frame_due_ && now >= *frame_due_) {
      if (reading_ == Reading::line_end) {
        finish_frame(now, events);
      } else {
        reading_ = Reading::outside;
        frame_due_.reset();
        reply(kNak, events);
      }
    }
    if (due_ && now >= *due_) on_silence(events);
    if (is_free() && !waiting_.empty()) ask(now, events);
  }

  std::optional<core::Monotonic> due() const override {
    if (is_free() && !waiting_.empty()) return core::Monotonic();
    if (frame_due_ && due_) return std::min(*frame_due_, *due_);
    return frame_due_ ? frame_due_ : due_;
  }
  bool in_message() const override { return state_ == State::receiving; }
  std::uint64_t skipped() const override { return skipped_; }

  void refuse() override {
    if (state_ == State::receiving) state_ = State::refusing;
  }
  bool offer(std::string message) override {
    if (waiting_.size() == kWaitingMax) return false;
    waiting_.push_back(std::move(message));
    return true;
  }
  std::size_t sent() const override { return sent_; }
  std::size_t given_up() const override { return given_up_; }

 private:
  enum class State {
    neutral,
    receiving,
    refusing,  // the device's frames are not taken until it begins anew
    asking,    // our ENQ is out
    pausing,   // the device is busy, won a contention or interrupted us
    sending,   // a frame of ours is out
  };
  enum class Reading { outside, text, first_sum, second_sum, line_end };

  bool is_free() const { return state_ == State::neutral && reading_ == Reading::outside; }

  void take(char c, core::Monotonic now, std::vector<FrameEvent>& events) {
    switch (reading_) {
      case Reading::outside:
        return take_outside(c, now, events);
      case Reading::text:
        if (c == kEtb || c == kEtx) {
          end_ = c;
          reading_ = Reading::first_sum;
        } else if (text_.size() < kFrameTextMax) {
          text_ += c;
        } else {
          is_damaged_ = true;
        }
        frame_due_ = now + kFramePatience;
        return;
      case Reading::first_sum:
      case Reading::second_sum:
        sum_ += c;
        reading_ = reading_ == Reading::first_sum ? Reading::second_sum : Reading::line_end;
        frame_due_ = now + (reading_ == Reading::line_end ? milliseconds(kLineEndPatience)
                                                          : milliseconds(kFramePatience));
        return;
      case Reading::line_end:
        if (c == '\r') return;
        finish_frame(now, events);
        if (c != '\n') take_outside(c, now, events);
    }
  }

  void take_outside(char c, core::Monotonic now, std::vector<FrameEvent>& events) {
    switch (c) {
      case kStx:
        if (state_ == State::asking || state_ == State::sending) return skip();
        reading_ = Reading::text;
        text_.clear();
        sum_.clear();
        is_damaged_ = false;
        frame_due_ = now + kFramePatience;
        return;
      case kEnq:
        return on_enq(now, events);
      case kEot:
        return on_eot(now, events);
      case kAck:
        if (state_ == State::asking || state_ == State::sending) return send_next(now, events);
        return skip();
      case kNak:
        if (state_ == State::asking) return pause(now, kBusyPause);
        if (state_ == State::sending) return send_again(now, events);
        return skip();
      case '\r':
      case '\n':
      case '\0':
        return;
      default:
        skip();
        // Anything but ACK and EOT answers a frame as NAK does.
        if (state_ == State::sending) send_again(now, events);
    }
  }

  void skip() { ++skipped_; }

  void on_enq(core::Monotonic now, std::vector<FrameEvent>& events) {
    if (state_ == State::asking) return pause(now, kContentionPause);  // the instrument wins
    if (state_ == State::sending) return send_again(now, events);
    if (state_ == State::receiving && !was_asked_again_) {
      // Perhaps a frame's STX, damaged: an ACK would be taken for that frame's.
      was_asked_again_ = true;
      return reply(kNak, events);
    }
    if (state_ == State::receiving) close(events);
    begin_receiving(now);
    events.push_back({Kind::opened, {}});
  }

  void begin_receiving(core::Monotonic now) {
    state_ = State::receiving;
    has_frame_ = false;
    was_asked_again_ = false;
    last_number_ = 0;
    due_ = now + kReceiverPatience;
  }

  void on_eot(core::Monotonic now, std::vector<FrameEvent>& events) {
    if (state_ == State::receiving || state_ == State::refusing) return close(events);
    if (state_ != State::sending) return skip();
    // An interrupt: the frame is accepted, the device wants the line. The message is sent again
    // whole, what was taken twice is the device's to recognise.
    reply(kEot, events);
    pause(now, kInterruptPause);
  }

  void close(std::vector<FrameEvent>& events) {
    state_ = State::neutral;
    due_.reset();
    events.push_back({Kind::closed, {}});
  }

  void finish_frame(core::Monotonic now, std::vector<FrameEvent>& events) {
    reading_ = Reading::outside;
    frame_due_.reset();
    const bool is_good = has_right_sum() && !text_.empty() && text_[0] >= '0' && text_[0] <= '7';
    if (!is_good || state_ == State::refusing) return reply(kNak, events);
    const int number = text_[0] - '0';
    std::string text = text_.substr(1);
    const bool begins_message = text.starts_with('H');
    if (state_ != State::receiving) {
      if (!begins_message) return reply(kNak, events);
      begin_receiving(now);
    }
    due_ = now + kReceiverPatience;
    if (has_frame_ && number == last_number_)
      return reply(text == last_text_ && end_ == last_end_ ? kAck : kNak, events);
    const bool is_next = has_frame_ ? number == (last_number_ + 1) % 8 : begins_message;
    if (!is_next) return reply(kNak, events);
    last_number_ = number;
    last_end_ = end_;
    last_text_ = text;
    has_frame_ = true;
    was_asked_again_ = false;
    if (end_ == kEtx && !text.ends_with('\r')) text += '\r';
    events.push_back({Kind::part, std::move(text)});
  }

  bool has_right_sum() const {
    if (is_damaged_) return false;
    if (options_.checksum == profiles::Checksum::not_verified) return true;
    return core::to_lower_ascii(sum_) ==
           core::to_lower_ascii(checksum_text(text_, end_, options_.checksum));
  }

  void ask(core::Monotonic now, std::vector<FrameEvent>& events) {
    frames_ = make_frames(waiting_.front(), options_);
    next_frame_ = 0;
    state_ = State::asking;
    due_ = now + kSenderPatience;
    reply(kEnq, events);
  }

  void send_next(core::Monotonic now, std::vector<FrameEvent>& events) {
    if (next_frame_ == frames_.size()) {
      ++sent_;
      return end_sending(events);
    }
    sends_ = 0;
    ++next_frame_;
    send_again(now, events);
  }

  void send_again(core::Monotonic now, std::vector<FrameEvent>& events) {
    if (sends_++ == kSendsMax) return give_up(events);
    state_ = State::sending;
    due_ = now + kSenderPatience;
    events.push_back({Kind::reply, frames_[next_frame_ - 1]});
  }

  void give_up(std::vector<FrameEvent>& events) {
    ++given_up_;
    end_sending(events);
  }

  void end_sending(std::vector<FrameEvent>& events) {
    reply(kEot, events);
    waiting_.pop_front();
    frames_.clear();
    asks_ = 0;
    state_ = State::neutral;
    due_.reset();
  }

  void pause(core::Monotonic now, seconds time) {
    state_ = State::pausing;
    due_ = now + time;
  }

  void on_silence(std::vector<FrameEvent>& events) {
    due_.reset();
    switch (state_) {
      case State::receiving:
      case State::refusing:
        return close(events);
      case State::pausing:
        state_ = State::neutral;
        if (++asks_ <= kSendsMax) return;
        return give_up(events);
      case State::asking:
      case State::sending:
        return give_up(events);
      case State::neutral:
        return;
    }
  }

  static void reply(char c, std::vector<FrameEvent>& events) {
    events.push_back({Kind::reply, std::string(1, c)});
  }

  const LinkOptions options_;
  State state_ = State::neutral;
  std::optional<core::Monotonic> due_;

  Reading reading_ = Reading::outside;
  std::optional<core::Monotonic> frame_due_;
  std::string text_;  // frame number and text
  std::string sum_;
  char end_ = kEtx;
  bool is_damaged_ = false;

  int last_number_ = 0;
  std::string last_text_;
  char last_end_ = kEtx;
  bool has_frame_ = false;
  bool was_asked_again_ = false;
  std::uint64_t skipped_ = 0;

  std::deque<std::string> waiting_;  // messages to send; the first may be on its way
  std::vector<std::string> frames_;
  std::size_t next_frame_ = 0;  // how many were sent at least once
  int sends_ = 0;               // of the frame that is out
  int asks_ = 0;                // pauses for this message
  std::size_t sent_ = 0;
  std::size_t given_up_ = 0;
};

}  // namespace

std::unique_ptr<Link> Link::create(LinkOptions options) {
  return std::make_unique<LinkImpl>(options);
}

}  // namespace gateway::adapters::astm
