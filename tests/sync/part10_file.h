// A small DICOM Part 10 file for tests: preamble, File Meta Information, and a data set that is
// whatever the test says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gateway::sync {

inline std::string little_endian(std::uint32_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

inline std::string meta_element(std::uint32_t element, std::string_view vr, std::string value,
                                char padding = '\0') {
  if (value.size() % 2 != 0) value += padding;
  return little_endian(2, 2) + little_endian(element, 2) + std::string(vr) +
         little_endian(static_cast<std::uint32_t>(value.size()), 2) + value;
}

inline std::string part10_head(const std::string& sop_instance_uid,
                               const std::string& source_ae_title = "CT1",
                               const std::string& receiving_ae_title = "GW") {
  const std::string group = little_endian(2, 2) + little_endian(1, 2) + "OB" +
                            std::string(2, '\0') + little_endian(2, 4) + std::string("\0\1", 2) +
                            meta_element(0x0002, "UI", "1.2.840.10008.5.1.4.1.1.2") +
                            meta_element(0x0003, "UI", sop_instance_uid) +
                            meta_element(0x0010, "UI", "1.2.840.10008.1.2.1") +
                            meta_element(0x0016, "AE", source_ae_title, ' ') +
                            meta_element(0x0018, "AE", receiving_ae_title, ' ');
  return std::string(128, '\0') + "DICM" +
         meta_element(0x0000, "UL", little_endian(static_cast<std::uint32_t>(group.size()), 4)) +
         group;
}

}  // namespace gateway::sync
