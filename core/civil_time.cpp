#include "core/civil_time.h"

#include <date/date.h>
#include <date/tz.h>

#include <algorithm>
#include <ctime>
#include <sstream>

#include "core/text.h"

namespace gateway::core {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

const date::time_zone* find_zone(std::string_view name) {
  try {
    return date::locate_zone(std::string(name));
  } catch (const std::exception&) {  // the library's only way to say "unknown"
    return nullptr;
  }
}

template <class Time>
std::optional<Time> parse_with(const char* format, std::string_view text) {
  std::istringstream in{std::string(text)};
  Time time;
  in >> date::parse(format, time);
  if (in.fail() || in.peek() != std::char_traits<char>::eof()) return std::nullopt;
  return time;
}

std::optional<date::year_month_day> parse_day(std::string_view da) {
  if (da.size() != 8 || !all_digits(da)) return std::nullopt;
  const auto day = parse_with<date::sys_days>("%Y%m%d", da);
  if (!day) return std::nullopt;
  return date::year_month_day(*day);
}

}  // namespace

bool is_time_zone(std::string_view name) { return find_zone(name) != nullptr; }

std::optional<Wall> parse_instant(std::string_view text) {
  std::string normal(text);
  if (normal.ends_with('Z')) normal.replace(normal.size() - 1, 1, "+00:00");
  const auto time = parse_with<date::sys_time<Milliseconds>>("%Y-%m-%dT%H:%M:%S%Ez", normal);
  if (!time) return std::nullopt;
  // The clock counts nanoseconds since 1970 in 64 bits.
  constexpr auto kFirst = std::chrono::ceil<Milliseconds>(Wall::min().time_since_epoch());
  constexpr auto kLast = std::chrono::floor<Milliseconds>(Wall::max().time_since_epoch());
  return Wall(std::clamp(time->time_since_epoch(), kFirst, kLast));
}

std::optional<Wall> parse_http_date(std::string_view text) {
  const auto time = parse_with<date::sys_seconds>("%a, %d %b %Y %H:%M:%S GMT", text);
  if (!time) return std::nullopt;
  return Wall(*time);
}

std::string to_http_date(Wall time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  char text[40];
  // The daemon never sets a locale: names of days are English, as the RFC wants them.
  const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &fields);
  return {text, size};
}

DicomTime to_dicom_time(std::string_view fhir, std::string_view zone) {
  if (fhir.size() == 10) return {to_dicom_date(fhir), ""};
  const auto instant = parse_instant(fhir);
  const auto* place = find_zone(zone);
  if (!instant || !place) return {};
  const auto local = place->to_local(std::chrono::floor<std::chrono::seconds>(*instant));
  return {date::format("%Y%m%d", local), date::format("%H%M%S", local)};
}

std::int64_t from_local_ms(std::int64_t local_ms, std::string_view zone) {
  const auto* place = find_zone(zone);
  if (!place) return local_ms;
  const date::local_time<Milliseconds> local{Milliseconds(local_ms)};
  return place->to_sys(local, date::choose::earliest).time_since_epoch().count();
}

std::string to_fhir_date_time(std::string_view date_text, std::string_view time_text,
                              std::string_view zone) {
  const auto day = parse_day(date_text);
  if (!day) return {};
  std::string digits(time_text.substr(0, time_text.find('.')));
  std::erase(digits, ':');  // ACR-NEMA form, still sent by old devices
  const auto* place = find_zone(zone);
  if (digits.size() < 2 || digits.size() > 6 || digits.size() % 2 != 0 || !all_digits(digits) ||
      !place) {
    return to_fhir_date(date_text);
  }
  digits.resize(6, '0');
  const auto number = [&](std::size_t at) {
    return (digits[at] - '0') * 10 + digits[at + 1] - '0';
  };
  if (number(0) > 23 || number(2) > 59 || number(4) > 59) return to_fhir_date(date_text);
  const auto local = date::local_days(*day) + std::chrono::hours(number(0)) +
                     std::chrono::minutes(number(2)) + std::chrono::seconds(number(4));
  // At the hour that occurs twice the earlier is meant; one that does not exist is moved to the
  // change.
  const auto zoned = date::make_zoned(place, local, date::choose::earliest);
  return date::format("%Y-%m-%dT%H:%M:%S%Ez", zoned);
}

std::string to_fhir_date(std::string_view da) {
  if (!parse_day(da)) return {};
  return cat(da.substr(0, 4), "-", da.substr(4, 2), "-", da.substr(6, 2));
}

std::string to_dicom_date(std::string_view fhir_date) {
  if (fhir_date.size() < 10 || fhir_date[4] != '-' || fhir_date[7] != '-') return {};
  const std::string da =
      cat(fhir_date.substr(0, 4), fhir_date.substr(5, 2), fhir_date.substr(8, 2));
  return parse_day(da) ? da : std::string();
}

}  // namespace gateway::core
