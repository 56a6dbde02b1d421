#include "adapters/dicom/attribute_matching.h"

#include <algorithm>
#include <string>

#include "core/pattern.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"

namespace gateway::adapters::dicom {
namespace {

std::string_view take_part(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

bool matches_name(std::string_view key, std::string_view value) {
  while (!key.empty()) {
    const std::string pattern = sync::fhir::pn_search_key(take_part(key, '='));
    const std::string group = sync::fhir::pn_search_key(take_part(value, '='));
    if (!pattern.empty() && !core::matches_pattern(pattern, group)) return false;
  }
  return true;
}

bool matches_any(std::string_view list, std::string_view value) {
  while (!list.empty()) {
    if (core::trim(take_part(list, '\\')) == value) return true;
  }
  return false;
}

// Six digits and what a TM of less precision leaves open, filled so that it sorts: first or last
// moment of its span. Colons are ACR-NEMA's.
std::string time_bound(std::string_view text, bool last) {
  std::string digits;
  for (const char c : text) {
    if (c != ':') digits += c;
  }
  constexpr std::string_view kFirst = "000000.000000";
  constexpr std::string_view kLast = "235959.999999";
  const std::string_view filler = last ? kLast : kFirst;
  if (digits.size() < filler.size()) digits += filler.substr(digits.size());
  return digits;
}

// DA as YYYYMMDD; ACR-NEMA wrote YYYY.MM.DD.
std::string date_digits(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits),
               [](char c) { return c != '.'; });
  return digits;
}

bool matches_date(std::string_view key, std::string_view value) {
  const Range range = parse_range(key);
  const std::string date = date_digits(value);
  return !date.empty() && (range.from.empty() || date >= date_digits(range.from)) &&
         (range.to.empty() || date <= date_digits(range.to));
}

bool matches_time(std::string_view key, std::string_view value) {
  const Range range = parse_range(key);
  return !value.empty() &&
         (range.from.empty() || time_bound(value, false) >= time_bound(range.from, false)) &&
         (range.to.empty() || time_bound(value, false) <= time_bound(range.to, true));
}

}  // namespace

bool has_wildcard(std::string_view key) {
  return key.find_first_of("*?") != std::string_view::npos;
}

bool is_range(std::string_view key) { return key.find('-') != std::string_view::npos; }

Range parse_range(std::string_view key) {
  const auto dash = key.find('-');
  if (dash == std::string_view::npos) return {core::trim(key), core::trim(key)};
  return {core::trim(key.substr(0, dash)), core::trim(key.substr(dash + 1))};
}

bool matches(MatchKind kind, std::string_view key, std::string_view value) {
  switch (kind) {
    case MatchKind::exact:
      return key == value;
    case MatchKind::wildcard:
      return core::matches_pattern(key, value);
    case MatchKind::person_name:
      return matches_name(key, value);
    case MatchKind::uid_list:
      return matches_any(key, value);
    case MatchKind::date:
      return matches_date(key, value);
    case MatchKind::time:
      return matches_time(key, value);
  }
  return false;
}

bool matches_span(std::string_view date_key, std::string_view time_key, std::string_view date,
                  std::string_view time) {
  const Range dates = parse_range(date_key);
  const Range times = parse_range(time_key);
  if (date.empty() || time.empty()) return false;
  const std::string moment = date_digits(date) + time_bound(time, false);
  const auto bound = [](std::string_view day, std::string_view hour, bool last) {
    return date_digits(day) + time_bound(hour, last);
  };
  return (dates.from.empty() || moment >= bound(dates.from, times.from, false)) &&
         (dates.to.empty() || moment <= bound(dates.to, times.to, true));
}

}  // namespace gateway::adapters::dicom
