// The header of one data element (PS3.5 7.1): tag, value representation, length. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gateway::adapters::dicom {

/// (gggg,eeee) as 0xggggeeee.
using Tag = std::uint32_t;

inline constexpr Tag kItem = 0xfffee000;
inline constexpr Tag kItemDelimiter = 0xfffee00d;
inline constexpr Tag kSequenceDelimiter = 0xfffee0dd;
inline constexpr std::uint32_t kUndefinedLength = 0xffffffff;
inline constexpr std::size_t kElementHeaderBytesMax = 12;

enum class Encoding { implicit_little, explicit_little, explicit_big };

struct ElementHeader {
  Tag tag = 0;
  std::uint32_t length = 0;
  std::size_t size = 0;      // bytes of the header itself
  bool is_unknown = false;   // VR UN
  bool is_sequence = false;  // VR SQ
  bool is_valid = true;      // false: the value representation is none
};

/// Nothing: more bytes are needed.
std::optional<ElementHeader> parse_element_header(std::span<const std::byte> bytes,
                                                  Encoding encoding);

}  // namespace gateway::adapters::dicom
