#include "adapters/dicom/nesting.h"

#include <span>
#include <vector>

namespace gateway::adapters::dicom {
namespace {

constexpr std::size_t kNoEnd = static_cast<std::size_t>(-1);  // of undefined length

std::size_t items_from(std::string_view bytes, std::size_t at) {
  constexpr std::string_view kLittle("\xfe\xff\x00\xe0", 4);
  constexpr std::string_view kBig("\xff\xfe\xe0\x00", 4);
  std::size_t count = 0;
  for (; at + 4 <= bytes.size(); ++at) {
    const std::string_view tag = bytes.substr(at, 4);
    if (tag == kLittle || tag == kBig) ++count;
  }
  return count;
}

class Walk {
 public:
  Walk(std::string_view bytes, Encoding encoding, std::size_t levels_max)
      : bytes_(bytes), encoding_(encoding), levels_max_(levels_max) {}

  bool stays_within() {
    while (at_ < bytes_.size()) {
      leave_what_ended();
      if (!step()) return items_from(bytes_, at_) + items_open_ <= levels_max_;
      if (items_open_ > levels_max_) return false;
    }
    return true;
  }

 private:
  struct Level {
    bool is_item = false;
    Encoding encoding{};
    std::size_t end = kNoEnd;
  };

  Encoding encoding() const { return levels_.empty() ? encoding_ : levels_.back().encoding; }
  bool inside_sequence() const { return !levels_.empty() && !levels_.back().is_item; }

  void leave() {
    if (levels_.back().is_item) --items_open_;
    levels_.pop_back();
  }
  void leave_what_ended() {
    while (!levels_.empty() && levels_.back().end == at_) leave();
  }

  /// One header, and the value behind it where that holds no sequence. False: it is not to be
  /// followed, and `at_` is where that began.
  bool step() {
    const auto header =
        parse_element_header(std::as_bytes(std::span(bytes_.substr(at_))), encoding());
    if (!header || !header->is_valid) return false;
    const bool is_undefined = header->length == kUndefinedLength;
    const std::size_t value = at_ + header->size;
    if (!is_undefined && header->length > room_from(value)) return false;
    const std::size_t end = is_undefined ? kNoEnd : value + header->length;
    if (header->tag >> 16 == kItem >> 16) return step_item(*header, value, end);
    if (inside_sequence()) return false;
    if (is_undefined || header->is_sequence || begins_like_items(value, end)) {
      levels_.push_back({false, header->is_unknown ? Encoding::implicit_little : encoding(), end});
      at_ = value;
    } else {
      at_ = end;
    }
    return true;
  }

  bool step_item(const ElementHeader& header, std::size_t value, std::size_t end) {
    const bool may_end = !levels_.empty() && levels_.back().end == kNoEnd;
    if (header.tag == kItem && inside_sequence()) {
      levels_.push_back({true, encoding(), end});
      ++items_open_;
    } else if (may_end && header.tag == (inside_sequence() ? kSequenceDelimiter : kItemDelimiter)) {
      leave();
    } else {
      return false;
    }
    at_ = value;
    return true;
  }

  /// Whatever its value representation says, and in whichever byte order.
  bool begins_like_items(std::size_t value, std::size_t end) const {
    const std::string_view group = bytes_.substr(value, 2);
    return end - value >= 8 && (group == "\xfe\xff" || group == "\xff\xfe");
  }

  std::size_t room_from(std::size_t at) const {
    std::size_t end = bytes_.size();
    for (const Level& level : levels_)
      if (level.end != kNoEnd) end = level.end;
    return end < at ? 0 : end - at;
  }

  std::string_view bytes_;
  Encoding encoding_;
  std::size_t levels_max_;
  std::size_t at_ = 0;
  std::size_t items_open_ = 0;
  std::vector<Level> levels_;
};

}  // namespace

bool nests_at_most(std::string_view bytes, Encoding encoding, std::size_t levels_max) {
  return Walk(bytes, encoding, levels_max).stays_within();
}

}  // namespace gateway::adapters::dicom
