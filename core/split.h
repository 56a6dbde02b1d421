// A text taken apart.
#pragma once

#include <string_view>
#include <vector>

namespace gateway::core {

/// What stands between the separators; one empty part of an empty text. Views into `text`.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace gateway::core
