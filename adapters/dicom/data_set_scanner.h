// Finds the values of a few top-level attributes in an encoded data set (PS3.5 7) as its bytes come
// by, in any cut, without keeping anything else. Lenient: what cannot be followed ends the scan
// with what was found. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/dicom/element_header.h"

namespace gateway::adapters::dicom {

class DataSetScanner {
 public:
  using Encoding = dicom::Encoding;

  static constexpr std::size_t kValueBytesMax = 16'384;  // longer values count as absent
  static constexpr std::size_t kDepthMax = 64;

  /// `wanted`: ascending, outlives the scanner. The scan ends behind the last of them.
  DataSetScanner(Encoding encoding, std::span<const Tag> wanted);

  /// The data set's next bytes; ignored once done().
  void feed(std::span<const std::byte> bytes);
  bool done() const { return done_; }
  /// What was fed ends inside an element, or in a sequence that is not closed.
  bool is_inside() const { return !done_ && (skip_ > 0 || header_filled_ > 0 || !levels_.empty()); }

  /// Raw values by tag. The first of a repeated tag.
  const std::map<Tag, std::string>& values() const { return values_; }

 private:
  // A sequence or item of undefined length that the scan is inside of.
  struct Level {
    bool is_item = false;
    Encoding encoding{};
  };

  std::size_t take_header(std::span<const std::byte> bytes);
  std::size_t take_value(std::span<const std::byte> bytes);
  void begin_element(const ElementHeader& header);
  void begin_undefined_length(const ElementHeader& header);
  void begin_item_or_delimiter(const ElementHeader& header);
  Encoding encoding() const;
  bool inside_sequence() const { return !levels_.empty() && !levels_.back().is_item; }

  Encoding top_encoding_;
  std::span<const Tag> wanted_;
  std::array<std::byte, kElementHeaderBytesMax> header_{};
  std::size_t header_filled_ = 0;
  std::uint64_t skip_ = 0;             // bytes of the current value still to come
  std::string* collecting_ = nullptr;  // where they go, if anywhere
  std::vector<Level> levels_;
  std::map<Tag, std::string> values_;
  bool done_ = false;
};

/// How a transfer syntax writes its elements (a deflated one, once inflated).
DataSetScanner::Encoding encoding_of(std::string_view transfer_syntax_uid);

}  // namespace gateway::adapters::dicom
