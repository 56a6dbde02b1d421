// Small text building without format strings: cat("port ", 11112, " is in use").
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

namespace gateway::core {

inline void append_text(std::string& out, std::string_view part) { out += part; }
inline void append_text(std::string& out, char part) { out += part; }
// A template, since a plain bool parameter would also take every string literal.
template <std::same_as<bool> Bool>
void append_text(std::string& out, Bool part) {
  out += part ? "true" : "false";
}
template <class Number>
requires(std::integral<Number> && !std::same_as<Number, bool> &&
         !std::same_as<Number, char>) void append_text(std::string& out, Number part) {
  char digits[24];
  auto [end, code] = std::to_chars(digits, digits + sizeof digits, part);
  out.append(digits, end);
}

/// Concatenates texts, characters and integers.
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::string out;
  (append_text(out, parts), ...);
  return out;
}

std::string to_lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);
/// Lower-case hexadecimal of raw bytes.
std::string to_hex(std::string_view bytes);
/// The inverse; empty when `hex` has an odd length or another character.
std::string from_hex(std::string_view hex);

/// For comparing people's names and searching them: case folded, accents removed (Unicode
/// compatibility decomposition), runs of blanks made one. Input that is not UTF-8 comes back
/// unchanged. Never for storing.
std::string fold(std::string_view utf8);

}  // namespace gateway::core
