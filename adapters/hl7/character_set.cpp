#include "adapters/hl7/character_set.h"

#include <string>

#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

/// The first of MSH-18, read before anything is decoded: all sets that get here are ASCII there.
std::string_view sent_set(std::string_view bytes) {
  const auto header = bytes.find("MSH");
  if (header == std::string_view::npos || header + 3 >= bytes.size()) return {};
  const char separator = bytes[header + 3];
  std::string_view segment = bytes.substr(header, bytes.find_first_of("\r\n", header) - header);
  for (int field = 1; field < 18; ++field) {
    const auto next = segment.find(separator);
    if (next == std::string_view::npos) return {};
    segment.remove_prefix(next + 1);
  }
  return core::trim(segment.substr(0, segment.find_first_of(std::string("~") + separator)));
}

}  // namespace

DecodedText decode_text(std::string_view bytes, std::string_view default_set) {
  return mapping::decode_text(bytes, sent_set(bytes), default_set);
}

}  // namespace gateway::adapters::hl7
