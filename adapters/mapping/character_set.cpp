#include "adapters/mapping/character_set.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "core/text.h"

namespace gateway::adapters::mapping {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct SetName {
  std::string_view sent;   // lower case, without blanks, '-', '_', '/'
  std::string_view iconv;  // empty: nothing said
};
// HL7 table 0211 and what senders write instead.
constexpr std::array<SetName, 33> kSets{{
    {"ascii", ""},
    {"unicodeutf8", "UTF-8"},
    {"utf8", "UTF-8"},
    {"unicode", "UTF-8"},  // deprecated name; on MLLP it cannot be UTF-16
    {"unicodeutf16", "UTF-16"},
    {"utf16", "UTF-16"},
    {"unicodeutf32", "UTF-32"},
    {"88591", "CP1252"},
    {"iso88591", "CP1252"},
    {"latin1", "CP1252"},
    {"windows1252", "CP1252"},
    {"cp1252", "CP1252"},
    {"ansi", "CP1252"},
    {"88592", "ISO-8859-2"},
    {"88593", "ISO-8859-3"},
    {"88594", "ISO-8859-4"},
    {"88595", "ISO-8859-5"},
    {"88596", "ISO-8859-6"},
    {"88597", "ISO-8859-7"},
    {"88598", "ISO-8859-8"},
    {"88599", "ISO-8859-9"},
    {"885915", "ISO-8859-15"},
    {"isoir14", "SHIFT_JIS"},
    {"isoir87", "ISO-2022-JP"},
    {"isoir159", "ISO-2022-JP-1"},
    {"gb180302000", "GB18030"},
    {"gb18030", "GB18030"},
    {"gb2312", "GB18030"},
    {"ksx1001", "EUC-KR"},
    {"cns116431992", "EUC-TW"},
    {"big5", "BIG5"},
    {"windows1251", "CP1251"},
    {"windows1250", "CP1250"},
}};

std::string plain_name(std::string_view name) {
  std::string plain = core::to_lower_ascii(name);
  std::erase_if(plain, [](char c) { return c == ' ' || c == '-' || c == '_' || c == '/'; });
  return plain;
}

const SetName* find_set(std::string_view name) {
  std::string plain = plain_name(name);
  if (plain.starts_with("iso8859")) plain.erase(0, 3);
  const auto found = std::find_if(kSets.begin(), kSets.end(),
                                  [&](const SetName& set) { return set.sent == plain; });
  return found == kSets.end() ? nullptr : &*found;
}

DecodedText convert(std::string_view bytes, const char* from) {
  struct Close {
    void operator()(void* descriptor) const { iconv_close(descriptor); }
  };
  DecodedText text;
  iconv_t opened = iconv_open("UTF-8", from);
  // What POSIX says of a failure. NOLINTNEXTLINE(performance-no-int-to-ptr)
  if (opened == reinterpret_cast<iconv_t>(-1)) {
    text.utf8 = std::string(bytes);
    text.is_unknown_set = true;
    return text;
  }
  const std::unique_ptr<void, Close> descriptor(opened);
  std::string source(bytes);
  char* in = source.data();
  std::size_t in_left = source.size();
  std::array<char, 4096> piece{};
  while (in_left > 0) {
    char* out = piece.data();
    std::size_t out_left = piece.size();
    const std::size_t done = iconv(descriptor.get(), &in, &in_left, &out, &out_left);
    const int why = errno;
    text.utf8.append(piece.data(), piece.size() - out_left);
    if (done != static_cast<std::size_t>(-1) || why == E2BIG) continue;
    text.is_damaged = true;
    text.utf8 += kReplacement;
    ++in;
    --in_left;
  }
  return text;
}

bool is_utf8(std::string_view bytes) { return !convert(bytes, "UTF-8").is_damaged; }

}  // namespace

bool is_character_set(std::string_view name) { return find_set(name) != nullptr; }

DecodedText decode_text(std::string_view bytes, std::string_view named,
                        std::string_view default_set) {
  if (bytes.starts_with("\xEF\xBB\xBF")) return convert(bytes.substr(3), "UTF-8");
  if (bytes.starts_with("\xFF\xFE")) return convert(bytes.substr(2), "UTF-16LE");
  if (bytes.starts_with("\xFE\xFF")) return convert(bytes.substr(2), "UTF-16BE");
  if (std::all_of(bytes.begin(), bytes.end(), [](char c) { return c > 0 && c != 0x1b; }))
    return {std::string(bytes), false, false};
  const SetName* set = named.empty() ? nullptr : find_set(named);
  const bool is_unknown = !named.empty() && set == nullptr;
  if (set == nullptr || set->iconv.empty()) set = find_set(default_set);
  const std::string from = set != nullptr && !set->iconv.empty() ? std::string(set->iconv)
                           : is_utf8(bytes)                      ? "UTF-8"
                                                                 : "CP1252";
  DecodedText text = convert(bytes, from.c_str());
  text.is_unknown_set = text.is_unknown_set || is_unknown;
  return text;
}

}  // namespace gateway::adapters::mapping
