#include "sync/part10.h"

#include <cstring>
#include <string_view>

namespace gateway::sync {
namespace {

constexpr std::size_t kPreambleBytes = 128;
constexpr std::size_t kGroupBegin = kPreambleBytes + 4;
constexpr std::size_t kGroupLengthBytes = 12;

std::uint32_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    value |= std::to_integer<std::uint32_t>(bytes[at + i]) << (8 * i);
  }
  return value;
}

std::string value_text(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto end = text.find_last_not_of(std::string_view(" \0", 2));
  return std::string(text.substr(0, end == text.npos ? 0 : end + 1));
}

bool has_long_length(std::string_view vr) {
  for (const std::string_view known : {"OB", "OD", "OF", "OL", "OW", "SQ", "UC", "UN", "UR", "UT"})
    if (vr == known) return true;
  return false;
}

core::Error wrong(const char* what) { return {core::Code::invalid, what}; }

core::Status read_group(std::span<const std::byte> group, Part10Head& head) {
  while (!group.empty()) {
    if (group.size() < 8) return wrong("the file meta information is cut");
    const std::uint32_t tag = number(group, 0, 2) << 16 | number(group, 2, 2);
    const std::string_view vr(reinterpret_cast<const char*>(group.data()) + 4, 2);
    const bool is_long = has_long_length(vr);
    const std::size_t begin = is_long ? 12 : 8;
    if (group.size() < begin) return wrong("the file meta information is cut");
    const std::size_t length = is_long ? number(group, 8, 4) : number(group, 6, 2);
    if (length > group.size() - begin) return wrong("the file meta information is cut");
    const auto value = group.subspan(begin, length);
    if (tag == 0x00020002) head.sop_class_uid = value_text(value);
    if (tag == 0x00020003) head.sop_instance_uid = value_text(value);
    if (tag == 0x00020010) head.transfer_syntax_uid = value_text(value);
    if (tag == 0x00020016) head.source_ae_title = value_text(value);
    if (tag == 0x00020018) head.receiving_ae_title = value_text(value);
    group = group.subspan(begin + length);
  }
  return {};
}

}  // namespace

core::Result<std::optional<Part10Head>> read_part10_head(std::span<const std::byte> bytes) {
  if (bytes.size() < kGroupBegin + kGroupLengthBytes) return std::optional<Part10Head>();
  if (std::memcmp(bytes.data() + kPreambleBytes, "DICM", 4) != 0)
    return wrong("the bytes are no DICOM file");
  if (number(bytes, kGroupBegin, 4) != 0x00000002 || number(bytes, kGroupBegin + 6, 2) != 4)
    return wrong("the file meta information does not begin with its length");
  const std::size_t length = number(bytes, kGroupBegin + 8, 4);
  const std::size_t group_begin = kGroupBegin + kGroupLengthBytes;
  if (length > kPart10HeadMax - group_begin) return wrong("the file meta information is too long");
  if (bytes.size() < group_begin + length) return std::optional<Part10Head>();
  Part10Head head;
  GW_CHECK(read_group(bytes.subspan(group_begin, length), head));
  head.data_set_offset = group_begin + length;
  return std::optional(std::move(head));
}

}  // namespace gateway::sync
