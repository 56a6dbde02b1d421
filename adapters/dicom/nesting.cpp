#include "adapters/dicom/nesting.h"

#include <span>
#include <vector>

namespace gateway::adapters::dicom {
namespace {

constexpr std::size_t kNoEnd = static_cast<std::size_t>(-1);  // of undefined length

constexpr Tag kPixelData = 0x7fe00010;
constexpr std::size_t kLookedThroughAtOnce = 65'536;

class Whole final : public ByteSource {
 public:
  explicit Whole(std::string_view bytes) : bytes_(bytes) {}
  std::size_t size() const override { return bytes_.size(); }
  std::string_view at(std::size_t offset, std::size_t most) override {
    return bytes_.substr(offset, most);
  }

 private:
  std::string_view bytes_;
};

std::size_t items_from(ByteSource& source, std::size_t at) {
  constexpr std::string_view kLittle("\xfe\xff\x00\xe0", 4);
  constexpr std::string_view kBig("\xff\xfe\xe0\x00", 4);
  std::size_t count = 0;
  while (at < source.size()) {
    const std::string_view bytes = source.at(at, kLookedThroughAtOnce);
    if (bytes.size() < 4) break;
    for (std::size_t i = 0; i + 4 <= bytes.size(); ++i) {
      const std::string_view tag = bytes.substr(i, 4);
      if (tag == kLittle || tag == kBig) ++count;
    }
    at += bytes.size() - 3;
  }
  return count;
}

class Walk {
 public:
  Walk(ByteSource& bytes, Encoding encoding, std::size_t levels_max)
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
    bool is_fragments = false;  // of encapsulated pixel data, which hold no elements
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
    const auto header = parse_element_header(
        std::as_bytes(std::span(bytes_.at(at_, kElementHeaderBytesMax))), encoding());
    if (!header || !header->is_valid) return false;
    const bool is_undefined = header->length == kUndefinedLength;
    const std::size_t value = at_ + header->size;
    if (!is_undefined && header->length > room_from(value)) return false;
    const std::size_t end = is_undefined ? kNoEnd : value + header->length;
    if (header->tag >> 16 == kItem >> 16) return step_item(*header, value, end);
    if (inside_sequence()) return false;
    if (is_undefined && header->tag == kPixelData && !header->is_sequence && !header->is_unknown) {
      levels_.push_back({false, encoding(), end, true});
      at_ = value;
    } else if (is_undefined || header->is_sequence || begins_like_items(value, end)) {
      levels_.push_back({false, header->is_unknown ? Encoding::implicit_little : encoding(), end});
      at_ = value;
    } else {
      at_ = end;
    }
    return true;
  }

  bool step_item(const ElementHeader& header, std::size_t value, std::size_t end) {
    const bool may_end = !levels_.empty() && levels_.back().end == kNoEnd;
    if (header.tag == kItem && inside_sequence() && levels_.back().is_fragments) {
      if (end == kNoEnd) return false;
      at_ = end;
      return true;
    }
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
  bool begins_like_items(std::size_t value, std::size_t end) {
    const std::string_view group = bytes_.at(value, 2);
    return end - value >= 8 && (group == "\xfe\xff" || group == "\xff\xfe");
  }

  std::size_t room_from(std::size_t at) const {
    std::size_t end = bytes_.size();
    for (const Level& level : levels_)
      if (level.end != kNoEnd) end = level.end;
    return end < at ? 0 : end - at;
  }

  ByteSource& bytes_;
  Encoding encoding_;
  std::size_t levels_max_;
  std::size_t at_ = 0;
  std::size_t items_open_ = 0;
  std::vector<Level> levels_;
};

}  // namespace

bool nests_at_most(std::string_view bytes, Encoding encoding, std::size_t levels_max) {
  Whole whole(bytes);
  return nests_at_most(whole, encoding, levels_max);
}

bool nests_at_most(ByteSource& bytes, Encoding encoding, std::size_t levels_max) {
  return Walk(bytes, encoding, levels_max).stays_within();
}

}  // namespace gateway::adapters::dicom
