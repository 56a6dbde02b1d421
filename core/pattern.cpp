#include "core/pattern.h"

#include <cstddef>

namespace gateway::core {
namespace {

// A byte that belongs to no character is taken alone.
void drop_character(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::size_t whole = 1;
  while (whole < length && whole < text.size() &&
         (static_cast<unsigned char>(text[whole]) & 0xc0U) == 0x80U)
    ++whole;
  text.remove_prefix(whole == length ? length : 1);
}

}  // namespace

// Backtracks to the last * only, so that no pattern costs more than its length times the text's.
bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::string_view retry_pattern;
  std::string_view retry_text;
  bool can_retry = false;
  while (!text.empty()) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      retry_pattern = pattern;
      retry_text = text;
      can_retry = true;
    } else if (!pattern.empty() && pattern[0] == '?') {
      pattern.remove_prefix(1);
      drop_character(text);
    } else if (!pattern.empty() && pattern[0] == text[0]) {
      pattern.remove_prefix(1);
      text.remove_prefix(1);
    } else if (can_retry) {
      drop_character(retry_text);
      pattern = retry_pattern;
      text = retry_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*') == std::string_view::npos;
}

}  // namespace gateway::core
