#include <array>
#include <charconv>

#include "adapters/fields/field_mapping.h"
#include "core/clock.h"
#include "core/text.h"

namespace gateway::adapters::fields {
namespace {

using profiles::DateOrder;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string padded(std::string_view digits) {
  return digits.size() == 1 ? core::cat('0', digits) : std::string(digits);
}

/// Year, month and day between single signs; empty: it is no date.
std::string compact_date(std::string_view text, DateOrder order) {
  std::array<std::string, 3> part;
  std::size_t at = 0;
  for (const char c : text) {
    if (is_digit(c)) {
      part[at] += c;
    } else if ((c != '-' && c != '/' && c != '.') || ++at == part.size()) {
      return {};
    }
  }
  if (part[0].size() == 4) order = DateOrder::year_first;
  if (order == DateOrder::day_first) part = {part[2], part[1], part[0]};
  if (order == DateOrder::month_first) part = {part[2], part[0], part[1]};
  // Of which century is not guessed.
  if (part[0].size() != 4 || part[1].empty() || part[2].empty()) return {};
  return part[0] + padded(part[1]) + padded(part[2]);
}

/// HH:MM[:SS[.S]] and the zone behind it.
std::string compact_time_of_day(std::string_view text) {
  const auto zone = text.find_first_of("Z+-");
  std::string time;
  std::string part;
  for (const char c : core::trim(text.substr(0, zone))) {
    if (c == ':') {
      time += padded(part);
      part.clear();
    } else if (is_digit(c) || c == '.') {
      part += c;
    } else {
      return {};
    }
  }
  time += part.size() == 1 ? padded(part) : part;
  if (zone == text.npos) return time;
  for (const char c : core::trim(text.substr(zone))) {
    if (c != ':') time += c;
  }
  return time;
}

/// Seconds, with a fraction or not, or milliseconds, since 1970; none before 2001 or after 2258,
/// which core::Wall ends soon behind.
std::string time_of_epoch(std::string_view text) {
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(whole.data(), whole.data() + whole.size(), number);
  if (code != std::errc() || end != whole.data() + whole.size()) return {};
  if (whole.size() != 10 && whole.size() != 13) return {};
  if (whole[0] == '9' && whole[1] > '0') return {};
  if (whole.size() == 13) return core::to_instant(core::Wall(core::Milliseconds(number)));
  return core::to_instant(core::Wall(std::chrono::seconds(number)));
}

}  // namespace

std::string compact_time(std::string_view text, DateOrder order) {
  if (order == DateOrder::unix_epoch) {
    const std::string instant = time_of_epoch(core::trim(text));
    return instant.empty() ? instant : compact_time(instant, DateOrder::year_first);
  }
  text = core::trim(text);
  const auto end = text.find_first_not_of("0123456789");
  if (end >= 8) return std::string(text);
  const auto gap = text.find_first_of("T ");
  std::string date = compact_date(text.substr(0, gap), order);
  if (date.empty() || gap == text.npos) return date;
  return date + compact_time_of_day(text.substr(gap + 1));
}

}  // namespace gateway::adapters::fields
