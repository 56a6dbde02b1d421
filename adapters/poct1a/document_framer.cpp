#include "adapters/poct1a/document_framer.h"

#include <algorithm>

namespace gateway::adapters::poct1a {
namespace {

using frame::FrameEvent;
using Kind = FrameEvent::Kind;

constexpr char kStart = 0x0b;
constexpr char kEnd = 0x1c;
constexpr std::string_view kDeclaration = "<?xml";

/// Follows markup to the end of the root element, a character at a time.
class MarkupScanner {
 public:
  /// True: this character ends the root.
  bool take(char c) {
    switch (state_) {
      case State::text:
        if (c == '<') begin_tag();
        return false;
      case State::opening:
        return take_opening(c);
      case State::tag:
        return take_tag(c);
      case State::comment:
        return end_at(c, "-->");
      case State::character_data:
        return end_at(c, "]]>");
      case State::instruction:
        return end_at(c, "?>");
      case State::declaration:
        take_declaration(c);
    }
    return false;
  }

  bool is_in_character_data() const { return state_ == State::character_data; }

 private:
  enum class State { text, opening, tag, comment, character_data, instruction, declaration };

  void begin_tag() {
    state_ = State::opening;
    head_.clear();
  }

  /// Behind '<', until it is clear what it is.
  bool take_opening(char c) {
    head_ += c;
    if (head_ == "?") return go(State::instruction);
    if (head_ == "!--") return go(State::comment);
    if (head_ == "![CDATA[") return go(State::character_data);
    const bool may_be = std::string_view("!--").starts_with(head_) ||
                        std::string_view("![CDATA[").starts_with(head_);
    if (may_be) return false;
    if (head_[0] == '!') {
      go(State::declaration);
      brackets_ = 0;
      quote_ = 0;
      take_declaration(c);
      return false;
    }
    is_closing_ = head_ == "/";
    go(State::tag);
    quote_ = 0;
    return take_tag(c);
  }

  bool take_tag(char c) {
    if (quote_ != 0) {
      if (c == quote_) quote_ = 0;
    } else if (c == '"' || c == '\'') {
      quote_ = c;
    } else if (c == '>') {
      state_ = State::text;
      if (is_closing_) {
        if (depth_ > 0) --depth_;
      } else if (last_ != '/') {
        ++depth_;
      }
      return depth_ == 0;
    }
    last_ = c;
    return false;
  }

  void take_declaration(char c) {
    if (quote_ != 0) {
      if (c == quote_) quote_ = 0;
    } else if (c == '"' || c == '\'') {
      quote_ = c;
    } else if (c == '[') {
      ++brackets_;
    } else if (c == ']' && brackets_ > 0) {
      --brackets_;
    } else if (c == '>' && brackets_ == 0) {
      state_ = State::text;
    }
  }

  bool end_at(char c, std::string_view end) {
    head_ += c;
    if (head_.size() > end.size()) head_.erase(0, 1);
    if (head_ == end) state_ = State::text;
    return false;
  }

  bool go(State state) {
    state_ = state;
    head_.clear();
    last_ = 0;
    return false;
  }

  State state_ = State::text;
  std::string head_;  // the first characters of what began, or its last; a few
  char quote_ = 0;
  char last_ = 0;
  bool is_closing_ = false;
  std::size_t depth_ = 0;
  std::size_t brackets_ = 0;
};

class XmlFramer final : public DocumentFramer {
 public:
  explicit XmlFramer(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void feed(std::string_view bytes, core::Monotonic /*now*/,
            std::vector<FrameEvent>& events) override {
    for (const char c : bytes) take(c, events);
  }
  void tick(core::Monotonic /*now*/, std::vector<FrameEvent>& /*events*/) override {}
  std::optional<core::Monotonic> due() const override { return std::nullopt; }
  bool in_message() const override { return is_inside_; }
  std::uint64_t skipped() const override { return skipped_; }
  bool is_mllp() const override { return is_mllp_; }

 private:
  void take(char c, std::vector<FrameEvent>& events) {
    if (c == kStart) {
      if (is_inside_) break_off(text_.size(), events);
      return begin(true);
    }
    if (!is_inside_) {
      if (c == '<') {
        begin(false);
      } else {
        if (c != kEnd && c != '\r' && c != '\n') ++skipped_;
        return;
      }
    }
    if (is_mllp_ && c == kEnd) return finish(events);
    append(c, events);
    if (is_mllp_ || begins_anew(c, events)) return;
    if (scanner_.take(c)) finish(events);
  }

  void begin(bool is_mllp) {
    is_inside_ = true;
    is_mllp_ = is_mllp;
    is_skipping_ = false;
    declaration_ = 0;
    text_.clear();
    scanner_ = MarkupScanner();
  }

  void append(char c, std::vector<FrameEvent>& events) {
    if (is_skipping_) return;
    text_ += c;
    if (text_.size() <= bytes_max_) return;
    events.push_back({Kind::oversize, text_.substr(0, kBrokenBytesKept)});
    is_skipping_ = true;
    text_ = {};
  }

  /// An XML declaration stands at the beginning of a document and nowhere else.
  bool begins_anew(char c, std::vector<FrameEvent>& events) {
    declaration_ = c == kDeclaration[declaration_] ? declaration_ + 1 : (c == '<' ? 1 : 0);
    if (declaration_ < kDeclaration.size()) return false;
    declaration_ = 0;
    if (scanner_.is_in_character_data() || text_.size() == kDeclaration.size()) return false;
    break_off(text_.size() - std::min(text_.size(), kDeclaration.size()), events);
    begin(false);
    for (const char one : kDeclaration) {
      append(one, events);
      scanner_.take(one);
    }
    return true;
  }

  void break_off(std::size_t size, std::vector<FrameEvent>& events) const {
    if (!is_skipping_ && size > 0)
      events.push_back({Kind::broken, text_.substr(0, std::min(size, kBrokenBytesKept))});
  }

  void finish(std::vector<FrameEvent>& events) {
    if (!is_skipping_ && !text_.empty()) events.push_back({Kind::message, std::move(text_)});
    text_ = {};  // a large document's memory is given back
    is_inside_ = false;
  }

  const std::size_t bytes_max_;
  bool is_inside_ = false;
  bool is_mllp_ = false;
  bool is_skipping_ = false;     // past the limit
  std::size_t declaration_ = 0;  // how much of an XML declaration's beginning came last
  std::string text_;
  MarkupScanner scanner_;
  std::uint64_t skipped_ = 0;
};

}  // namespace

std::unique_ptr<DocumentFramer> DocumentFramer::create(std::size_t document_bytes_max) {
  return std::make_unique<XmlFramer>(document_bytes_max);
}

}  // namespace gateway::adapters::poct1a
