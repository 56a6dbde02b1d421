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
#include <vector>

namespace gateway::adapters::dicom {

/// (gggg,eeee) as 0xggggeeee.
using Tag = std::uint32_t;

class DataSetScanner {
 public:
  enum class Encoding { implicit_little, explicit_little, explicit_big };

  static constexpr std::size_t kValueBytesMax = 16'384;  // longer values count as absent
  static constexpr std::size_t kDepthMax = 64;

  /// `wanted`: ascending, outlives the scanner. The scan ends behind the last of them.
  DataSetScanner(Encoding encoding, std::span<const Tag> wanted);

  /// The data set's next bytes; ignored once done().
  void feed(std::span<const std::byte> bytes);
  bool done() const { return done_; }

  /// Raw values by tag. The first of a repeated tag.
  const std::map<Tag, std::string>& values() const { return values_; }

 private:
  // A sequence or item of undefined length that the scan is inside of.
  struct Level {
    bool is_item = false;
    Encoding encoding{};
  };
  struct Header {
    Tag tag = 0;
    std::uint32_t length = 0;
    std::size_t size = 0;     // bytes of the header itself; 0: more are needed
    bool is_unknown = false;  // VR UN
    bool is_valid = true;
  };

  std::size_t take_header(std::span<const std::byte> bytes);
  std::size_t take_value(std::span<const std::byte> bytes);
  Header parse_header() const;
  void begin_element(const Header& header);
  void begin_undefined_length(const Header& header);
  void begin_item_or_delimiter(const Header& header);
  Encoding encoding() const;
  bool inside_sequence() const { return !levels_.empty() && !levels_.back().is_item; }

  Encoding top_encoding_;
  std::span<const Tag> wanted_;
  std::array<std::byte, 12> header_{};
  std::size_t header_filled_ = 0;
  std::uint64_t skip_ = 0;             // bytes of the current value still to come
  std::string* collecting_ = nullptr;  // where they go, if anywhere
  std::vector<Level> levels_;
  std::map<Tag, std::string> values_;
  bool done_ = false;
};

}  // namespace gateway::adapters::dicom
