#include "adapters/dicom/character_sets.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcspchrs.h>
#include <iconv.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "adapters/dicom/utf8.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

constexpr char kEscape = '\x1b';

bool needs_no_decoding(std::string_view text) {
  return is_ascii(text) && text.find(kEscape) == std::string_view::npos;
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  while (!text.empty()) append_code_point(out, take_code_point(text).value);
  return out;
}

// Windows-1252 where it differs from Latin-1: 0x80 to 0x9f.
char32_t cp1252(char32_t c) {
  constexpr std::array<char16_t, 32> kTable = {
      0x20ac,       kReplacement, 0x201a, 0x0192, 0x201e, 0x2026,       0x2020, 0x2021,
      0x02c6,       0x2030,       0x0160, 0x2039, 0x0152, kReplacement, 0x017d, kReplacement,
      kReplacement, 0x2018,       0x2019, 0x201c, 0x201d, 0x2022,       0x2013, 0x2014,
      0x02dc,       0x2122,       0x0161, 0x203a, 0x0153, kReplacement, 0x017e, 0x0178};
  return c >= 0x80 && c < 0xa0 ? kTable[c - 0x80] : c;
}

std::string decode_latin1(std::string_view value) {
  std::string out;
  for (const char c : value) append_code_point(out, cp1252(static_cast<unsigned char>(c)));
  return out;
}

std::optional<std::string> convert(std::string_view value, std::string_view character_set,
                                   TextKind kind) {
  DcmSpecificCharacterSet converter;
  if (converter.selectCharacterSet(std::string(character_set).c_str(), "ISO_IR 192").bad())
    return std::nullopt;
  OFString out;
  const char* delimiters = kind == TextKind::person_name ? "\\^=" : "\\";
  if (converter.convertString(OFString(value.data(), value.size()), out, delimiters).bad())
    return std::nullopt;
  return std::string(out.c_str(), out.length());
}

class Iconv {
 public:
  explicit Iconv(const char* from) : handle_(::iconv_open("UTF-8", from)) {}
  ~Iconv() {
    if (is_open()) ::iconv_close(handle_);
  }
  Iconv(const Iconv&) = delete;
  Iconv& operator=(const Iconv&) = delete;

  std::optional<std::string> convert(std::string_view value) {
    if (!is_open()) return std::nullopt;
    std::string in(value);
    std::string out(4 * in.size() + 16, '\0');
    char* from = in.data();
    char* to = out.data();
    std::size_t from_left = in.size();
    std::size_t to_left = out.size();
    if (::iconv(handle_, &from, &from_left, &to, &to_left) == static_cast<std::size_t>(-1))
      return std::nullopt;
    out.resize(out.size() - to_left);
    return out;
  }

 private:
  // POSIX's value for failure is (iconv_t)-1.
  bool is_open() const { return reinterpret_cast<std::intptr_t>(handle_) != -1; }
  iconv_t handle_;
};

bool is_half_width_katakana(char c) {
  return static_cast<unsigned char>(c) >= 0xa1 && static_cast<unsigned char>(c) <= 0xdf;
}

// Japanese with code extensions (PS3.5 H), which DCMTK cannot convert on the C library's iconv.
// JIS X 0201's katakana stand in G1 as single bytes above 0xa0, the rest is ISO-2022-JP.
std::optional<std::string> decode_japanese(std::string_view value) {
  constexpr std::string_view kKatakanaInG1 = "\x1b)I";  // says what the single bytes mean anyway
  std::string out;
  while (!value.empty()) {
    if (value.starts_with(kKatakanaInG1)) {
      value.remove_prefix(kKatakanaInG1.size());
      continue;
    }
    if (is_half_width_katakana(value[0])) {
      append_code_point(out, 0xff61u + (static_cast<unsigned char>(value[0]) - 0xa1u));
      value.remove_prefix(1);
      continue;
    }
    const auto end = static_cast<std::size_t>(
        std::find_if(value.begin(), value.end(), is_half_width_katakana) - value.begin());
    const std::string_view run = value.substr(0, std::min(end, value.find(kKatakanaInG1)));
    // The one knows JIS X 0212, the other katakana in G0.
    auto converted = Iconv("ISO-2022-JP-2").convert(run);
    if (!converted) converted = Iconv("ISO-2022-JP-3").convert(run);
    if (!converted) return std::nullopt;
    out += *converted;
    value.remove_prefix(run.size());
  }
  return out;
}

bool has_japanese_extension(std::string_view set) {
  return set.find("IR 87") != std::string_view::npos ||
         set.find("IR 159") != std::string_view::npos;
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string decode_text(std::string_view value, std::string_view character_set, TextKind kind) {
  if (needs_no_decoding(value)) return std::string(value);
  const std::string_view set = core::trim(character_set);
  if (set == "ISO_IR 100") return decode_latin1(value);
  if (!set.empty() && set != "ISO_IR 192") {
    auto converted =
        has_japanese_extension(set) ? decode_japanese(value) : convert(value, set, kind);
    if (converted && is_valid_utf8(*converted)) return *std::move(converted);
  }
  return replace_invalid(value);
}

std::string answer_character_set(std::string_view character_set) {
  constexpr std::array<std::string_view, 11> kSingleByte = {
      "100", "101", "109", "110", "144", "127", "126", "138", "148", "13", "166"};
  const std::string_view set = core::trim(character_set);
  if (set == "GB18030" || set == "GBK") return std::string(set);
  // "\ISO 2022 IR 100": code extensions with one repertoire beside ASCII are read like that one.
  const std::string_view last =
      core::trim(set.substr(set.rfind('\\') == std::string_view::npos ? 0 : set.rfind('\\') + 1));
  for (const std::string_view number : kSingleByte) {
    if (last == core::cat("ISO_IR ", number) || last == core::cat("ISO 2022 IR ", number))
      return core::cat("ISO_IR ", number);
  }
  return "ISO_IR 192";
}

}  // namespace gateway::adapters::dicom
