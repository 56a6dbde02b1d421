#include "adapters/dicom/utf8.h"

#include <array>
#include <cstdint>

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

// U+00C0 to U+017F without accents; '*' marks letters that fold to two, '.' what is no letter.
constexpr std::string_view kLatinBase =
    "aaaaaa*ceeeeiiii"
    "dnooooo.ouuuuy**"
    "aaaaaa*ceeeeiiii"
    "dnooooo.ouuuuy*y"
    "aaaaaaccccccccdd"
    "ddeeeeeeeeeegggg"
    "gggghhhhiiiiiiii"
    "ii**jjkkklllllll"
    "lllnnnnnnnnnoooo"
    "oo**rrrrrrssssss"
    "ssttttttuuuuuuuu"
    "uuuuwwyyyzzzzzzs";
static_assert(kLatinBase.size() == 0x180 - 0xc0);

std::string_view latin_pair(char32_t c) {
  switch (c) {
    case 0xc6:
    case 0xe6:
      return "ae";
    case 0xde:
    case 0xfe:
      return "th";
    case 0xdf:
      return "ss";
    case 0x132:
    case 0x133:
      return "ij";
    case 0x152:
    case 0x153:
      return "oe";
    default:
      return "";
  }
}

char32_t fold_greek(char32_t c) {
  switch (c) {
    case 0x386:
    case 0x3ac:
      return 0x3b1;
    case 0x388:
    case 0x3ad:
      return 0x3b5;
    case 0x389:
    case 0x3ae:
      return 0x3b7;
    case 0x38a:
    case 0x390:
    case 0x3aa:
    case 0x3af:
    case 0x3ca:
      return 0x3b9;
    case 0x38c:
    case 0x3cc:
      return 0x3bf;
    case 0x38e:
    case 0x3ab:
    case 0x3b0:
    case 0x3cb:
    case 0x3cd:
      return 0x3c5;
    case 0x38f:
    case 0x3ce:
      return 0x3c9;
    case 0x3c2:
      return 0x3c3;  // the sigma that ends a word
    default:
      return c >= 0x391 && c <= 0x3a9 ? c + 0x20 : c;
  }
}

char32_t fold_cyrillic(char32_t c) {
  if (c >= 0x400 && c <= 0x40f) c += 0x50;
  if (c >= 0x410 && c <= 0x42f) c += 0x20;
  return c == 0x451 ? 0x435 : c;  // yo is written as ye
}

void append_folded(std::string& out, char32_t c) {
  if (c >= 'A' && c <= 'Z') {
    out += static_cast<char>(c + 0x20);
  } else if (c >= 0xc0 && c <= 0x17f) {
    const char base = kLatinBase[c - 0xc0];
    if (base == '*') {
      const std::string_view pair = latin_pair(c);
      pair.empty() ? append_code_point(out, c) : void(out += pair);
    } else if (base == '.') {
      append_code_point(out, c);
    } else {
      out += base;
    }
  } else if (c >= 0x300 && c <= 0x36f) {
    // A combining accent.
  } else {
    append_code_point(out, fold_cyrillic(fold_greek(c)));
  }
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

std::string fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) append_folded(out, take_code_point(text).value);
  return out;
}

}  // namespace gateway::adapters::dicom
