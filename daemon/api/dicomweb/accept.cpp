#include "daemon/api/dicomweb/accept.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::daemon::dicomweb {
namespace {

constexpr char kMultipart[] = "multipart/related";
constexpr char kOctets[] = "application/octet-stream";
constexpr char kInstance[] = "application/dicom";
constexpr char kExplicitLittle[] = "1.2.840.10008.1.2.1";

/// Up to the next `at` outside of quotes, which is taken off too.
std::string_view take_until(std::string_view& text, char at) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (text[end] == '"') quoted = !quoted;
    if (text[end] == at && !quoted) break;
  }
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return core::trim(part);
}

std::string_view unquoted(std::string_view text) {
  text = core::trim(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return text.substr(1, text.size() - 2);
  return text;
}

// "0.35" as 350; what is none counts as 1.
int thousandths(std::string_view text) {
  if (text.empty() || text[0] != '0') return 1'000;
  int value = 0;
  int unit = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (c < '0' || c > '9') return 1'000;
    value += (c - '0') * unit;
    unit /= 10;
  }
  return value;
}

MediaRange range_of(std::string_view text) {
  MediaRange range;
  range.type = core::to_lower_ascii(take_until(text, ';'));
  while (!text.empty()) {
    std::string_view parameter = take_until(text, ';');
    const std::string name = core::to_lower_ascii(take_until(parameter, '='));
    const std::string_view value = unquoted(parameter);
    if (name == "type") range.part = core::to_lower_ascii(value);
    if (name == "transfer-syntax") range.transfer_syntax = value;
    if (name == "q") range.quality = thousandths(value);
  }
  return range;
}

bool takes_parts(const MediaRange& range, std::string_view part) {
  if (range.type == "*/*" || range.type == "multipart/*") return true;
  return range.type == kMultipart && (range.part.empty() || takes(range.part, part));
}

}  // namespace

bool takes(std::string_view range, std::string_view type) {
  if (range == "*/*" || range == type) return true;
  return range.ends_with("/*") && type.starts_with(range.substr(0, range.size() - 1));
}

std::vector<MediaRange> parse_accept(std::string_view header) {
  std::vector<MediaRange> ranges;
  while (!header.empty()) {
    const std::string_view text = take_until(header, ',');
    if (text.empty()) continue;
    MediaRange range = range_of(text);
    if (range.quality > 0) ranges.push_back(std::move(range));
  }
  if (ranges.empty()) ranges.push_back({.type = "*/*"});
  std::stable_sort(ranges.begin(), ranges.end(),
                   [](const MediaRange& a, const MediaRange& b) { return a.quality > b.quality; });
  return ranges;
}

std::optional<std::string> choose(const std::vector<MediaRange>& accepted,
                                  const std::vector<std::string>& offered) {
  for (const MediaRange& range : accepted) {
    for (const std::string& type : offered) {
      if (takes(range.type, type)) return type;
    }
  }
  return std::nullopt;
}

std::vector<std::string> instance_syntaxes(const std::vector<MediaRange>& accepted,
                                           bool multipart) {
  std::vector<std::string> syntaxes;
  for (const MediaRange& range : accepted) {
    const bool fits = multipart ? takes_parts(range, kInstance) : range.type == kInstance;
    if (!fits) continue;
    // Who names the type alone gets the default (PS3.18 8.7.3.5.2), who takes anything what is
    // held.
    const bool names_type = range.type == kInstance || range.part == kInstance;
    syntaxes.push_back(!range.transfer_syntax.empty() ? range.transfer_syntax
                       : names_type                   ? kExplicitLittle
                                                      : "*");
  }
  return syntaxes;
}

std::optional<FrameForm> frame_form(const std::vector<MediaRange>& accepted,
                                    const std::string& transfer_syntax,
                                    const std::string& media_type, bool can_decode) {
  for (const MediaRange& range : accepted) {
    const std::string& wanted = range.transfer_syntax;
    const bool as_held_fits = wanted.empty() || wanted == "*" || wanted == transfer_syntax;
    const bool takes_octets = takes_parts(range, kOctets);
    const bool takes_plain = wanted.empty() || wanted == "*" || wanted == kExplicitLittle;
    if (can_decode && takes_octets && takes_plain) return FrameForm::decoded;
    if (as_held_fits && takes_parts(range, media_type)) return FrameForm::as_held;
  }
  return std::nullopt;
}

}  // namespace gateway::daemon::dicomweb
