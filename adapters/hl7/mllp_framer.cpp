#include "adapters/hl7/mllp_framer.h"

#include <algorithm>
#include <array>

namespace gateway::adapters::hl7 {
namespace {

using frame::FrameEvent;
using Kind = FrameEvent::Kind;

constexpr char kStart = 0x0b;
constexpr char kEnd = 0x1c;
constexpr char kReturn = 0x0d;
constexpr core::Milliseconds kEndPatience{500};

/// A start byte inside a message counts as one only before these.
bool begins_message(std::string_view text) {
  constexpr std::array<std::string_view, 3> kFirst{"MSH", "FHS", "BHS"};
  for (const auto first : kFirst) {
    if (text == first) return true;
  }
  return false;
}

class MllpFramer final : public frame::Framer {
 public:
  explicit MllpFramer(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void feed(std::string_view bytes, core::Monotonic now, std::vector<FrameEvent>& events) override {
    for (const char c : bytes) take(c, events);
    if (!bytes.empty()) moved_at_ = now;
  }

  void tick(core::Monotonic now, std::vector<FrameEvent>& events) override {
    const auto end = due();
    if (end && now >= *end) finish(events);
  }

  std::optional<core::Monotonic> due() const override {
    if (state_ != State::after_end) return std::nullopt;
    return moved_at_ + kEndPatience;
  }
  bool in_message() const override { return state_ != State::outside; }
  std::uint64_t skipped() const override { return skipped_; }

 private:
  enum class State { outside, inside, after_end };

  void take(char c, std::vector<FrameEvent>& events) {
    switch (state_) {
      case State::outside:
        if (c == kStart) {
          begin();
        } else if (c != '\r' && c != '\n') {
          ++skipped_;
        }
        return;
      case State::after_end:
        if (c == kReturn) return finish(events);
        if (c == kStart) {
          finish(events);
          return begin();
        }
        state_ = State::inside;  // 0x1C was part of the text
        append(kEnd, events);
        [[fallthrough]];
      case State::inside:
        if (c == kEnd) {
          state_ = State::after_end;
        } else {
          append(c, events);
        }
    }
  }

  void begin() {
    state_ = State::inside;
    text_.clear();
    start_inside_.reset();
    is_skipping_ = false;
  }

  void append(char c, std::vector<FrameEvent>& events) {
    if (c == kStart) start_inside_ = text_.size();
    text_ += c;
    if (start_inside_ && text_.size() - *start_inside_ == 4) {
      const std::size_t at = *start_inside_;
      start_inside_.reset();
      if (begins_message(std::string_view(text_).substr(at + 1))) return restart(at, events);
    }
    if (is_skipping_) {
      // Only a start byte that may lie in here is still of interest.
      if (!start_inside_) text_.clear();
    } else if (text_.size() > bytes_max_) {
      events.push_back({Kind::oversize, text_.substr(0, kBrokenBytesKept)});
      is_skipping_ = true;
      text_.clear();
      start_inside_.reset();
    }
  }

  void restart(std::size_t at, std::vector<FrameEvent>& events) {
    std::string next = text_.substr(at + 1);
    if (!is_skipping_)
      events.push_back({Kind::broken, text_.substr(0, std::min(at, kBrokenBytesKept))});
    begin();
    text_ = std::move(next);
  }

  void finish(std::vector<FrameEvent>& events) {
    if (!is_skipping_) events.push_back({Kind::message, std::move(text_)});
    text_ = {};  // a large message's memory is given back
    is_skipping_ = false;
    state_ = State::outside;
  }

  const std::size_t bytes_max_;
  State state_ = State::outside;
  std::string text_;
  std::optional<std::size_t> start_inside_;  // where a start byte stands in text_
  bool is_skipping_ = false;                 // past the limit
  std::uint64_t skipped_ = 0;
  core::Monotonic moved_at_{};
};

}  // namespace

std::unique_ptr<frame::Framer> make_mllp_framer(std::size_t message_bytes_max) {
  return std::make_unique<MllpFramer>(message_bytes_max);
}

std::string mllp_frame(std::string_view message) {
  std::string framed;
  framed.reserve(message.size() + 3);
  framed += kStart;
  framed += message;
  framed += kEnd;
  framed += kReturn;
  return framed;
}

}  // namespace gateway::adapters::hl7
