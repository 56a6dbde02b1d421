// UTF-8 (RFC 3629), code point by code point. Pure.
#pragma once

#include <string>
#include <string_view>

namespace gateway::adapters::dicom {

inline constexpr char32_t kReplacement = 0xfffd;

/// Takes the next code point off `text`, which is not empty; an invalid byte is taken alone and
/// answered as kReplacement with `valid` false.
struct CodePoint {
  char32_t value = 0;
  bool valid = true;
};
CodePoint take_code_point(std::string_view& text);
void append_code_point(std::string& out, char32_t value);
bool is_valid_utf8(std::string_view text);

}  // namespace gateway::adapters::dicom
