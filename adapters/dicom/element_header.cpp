#include "adapters/dicom/element_header.h"

#include <algorithm>
#include <string_view>

namespace gateway::adapters::dicom {
namespace {

std::uint32_t number(std::span<const std::byte> bytes, bool big) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[big ? i : bytes.size() - 1 - i]);
  }
  return value;
}

// PS3.5 7.1.2: these have two reserved bytes and a 32-bit length.
bool has_long_length(std::string_view vr) {
  constexpr std::string_view kLong = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
  return kLong.find(vr) != std::string_view::npos;
}

bool is_vr(std::string_view vr) {
  return std::all_of(vr.begin(), vr.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

std::optional<ElementHeader> parse_element_header(std::span<const std::byte> bytes,
                                                  Encoding encoding) {
  if (bytes.size() < 8) return std::nullopt;
  const bool big = encoding == Encoding::explicit_big;
  ElementHeader header;
  header.size = 8;
  header.tag = number(bytes.subspan(0, 2), big) << 16 | number(bytes.subspan(2, 2), big);
  if (header.tag >> 16 == kItem >> 16 || encoding == Encoding::implicit_little) {
    header.length = number(bytes.subspan(4, 4), big);
    return header;
  }
  const std::string_view vr(reinterpret_cast<const char*>(bytes.data()) + 4, 2);
  header.is_valid = is_vr(vr);
  header.is_unknown = vr == "UN";
  header.is_sequence = vr == "SQ";
  if (!has_long_length(vr)) {
    header.length = number(bytes.subspan(6, 2), big);
    return header;
  }
  if (bytes.size() < kElementHeaderBytesMax) return std::nullopt;
  header.length = number(bytes.subspan(8, 4), big);
  header.size = kElementHeaderBytesMax;
  return header;
}

}  // namespace gateway::adapters::dicom
