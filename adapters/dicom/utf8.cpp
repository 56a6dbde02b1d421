#include "adapters/dicom/utf8.h"

#include <cstddef>

namespace gateway::adapters::dicom {
namespace {

struct Lead {
  std::size_t length;
  char32_t bits;
  char32_t least;  // shorter forms are invalid
};

Lead classify(unsigned char byte) {
  if (byte < 0x80) return {1, byte, 0};
  if (byte >= 0xc2 && byte < 0xe0) return {2, byte & 0x1fu, 0x80};
  if (byte >= 0xe0 && byte < 0xf0) return {3, byte & 0x0fu, 0x800};
  if (byte >= 0xf0 && byte < 0xf5) return {4, byte & 0x07u, 0x10000};
  return {0, 0, 0};
}

}  // namespace

CodePoint take_code_point(std::string_view& text) {
  const Lead lead = classify(static_cast<unsigned char>(text[0]));
  char32_t value = lead.bits;
  bool valid = lead.length > 0 && lead.length <= text.size();
  for (std::size_t i = 1; valid && i < lead.length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    valid = (byte & 0xc0) == 0x80;
    value = value << 6 | (byte & 0x3fu);
  }
  valid = valid && value >= lead.least && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  text.remove_prefix(valid ? lead.length : 1);
  return valid ? CodePoint{value, true} : CodePoint{kReplacement, false};
}

void append_code_point(std::string& out, char32_t value) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (value >> shift & 0x3f)); };
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += static_cast<char>(0xc0 | value >> 6);
    tail(0);
  } else if (value < 0x10000) {
    out += static_cast<char>(0xe0 | value >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | value >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_code_point(text).valid) return false;
  }
  return true;
}

}  // namespace gateway::adapters::dicom
