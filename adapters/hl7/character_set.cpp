#include "adapters/hl7/character_set.h"

#include <algorithm>
#include <string>

#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

/// Of MSH-18's repetitions the one that says how the bytes are read: a Japanese sender names the
/// set it switches to behind an empty or ASCII first one.
std::string_view chosen(std::string_view repetitions) {
  std::string_view best;
  while (!repetitions.empty()) {
    const auto end = std::min(repetitions.find('~'), repetitions.size());
    const std::string_view one = core::trim(repetitions.substr(0, end));
    repetitions.remove_prefix(std::min(end + 1, repetitions.size()));
    if (one == "ISO IR87" || one == "ISO IR159") return one;
    if (best.empty() || best == "ASCII") best = one.empty() ? best : one;
  }
  return best;
}

/// MSH-18, read before anything is decoded: all sets that get here are ASCII there.
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
  return chosen(segment.substr(0, segment.find(separator)));
}

}  // namespace

DecodedText decode_text(std::string_view bytes, std::string_view default_set) {
  return mapping::decode_text(bytes, sent_set(bytes), default_set);
}

}  // namespace gateway::adapters::hl7
