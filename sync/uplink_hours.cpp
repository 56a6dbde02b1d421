#include "sync/uplink_hours.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::sync {
namespace {

constexpr int kMinutes = 24 * 60;
constexpr int kSeconds = 60 * kMinutes;
constexpr int kAskAgain = 15 * 60;

/// Two digits; -1: they are none, or more than `most`.
int two_digits(std::string_view text, int most) {
  int value = -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = code == std::errc() && end == text.data() + text.size();
  return is_whole && text.size() == 2 && value <= most ? value : -1;
}

/// "HH:MM" as minutes of the day; 24:00 is its end.
std::optional<int> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hours = two_digits(text.substr(0, 2), 24);
  const int minutes = two_digits(text.substr(3), 59);
  if (hours < 0 || minutes < 0 || hours * 60 + minutes > kMinutes) return std::nullopt;
  return hours * 60 + minutes;
}

}  // namespace

core::Result<UplinkHours> UplinkHours::parse(const std::vector<std::string>& spans,
                                             std::string zone) {
  UplinkHours hours;
  hours.zone_ = std::move(zone);
  for (const std::string& text : spans) {
    const auto dash = std::min(text.find('-'), text.size());
    const auto begin = minute_of(std::string_view(text).substr(0, dash));
    const auto end = minute_of(std::string_view(text).substr(std::min(dash + 1, text.size())));
    if (!begin || !end || *begin == *end) {
      return core::Error(core::Code::invalid,
                         core::cat("\"", text, "\" is no time of day; write it like 22:00-06:00"));
    }
    hours.spans_.push_back({*begin, *end});
  }
  return hours;
}

int UplinkHours::second_of_day(core::Wall now) const {
  const std::string time = core::to_dicom_time(core::to_instant(now), zone_).time;  // HHMMSS
  if (time.size() < 6) return 0;
  const std::string_view text = time;
  const int hours = std::max(0, two_digits(text.substr(0, 2), 23));
  const int minutes = std::max(0, two_digits(text.substr(2, 2), 59));
  return (hours * 60 + minutes) * 60 + std::max(0, two_digits(text.substr(4, 2), 59));
}

bool UplinkHours::is_open(core::Wall now) const {
  if (spans_.empty()) return true;
  const int minute = second_of_day(now) / 60;
  return std::ranges::any_of(spans_, [&](const Span& span) {
    if (span.begin < span.end) return minute >= span.begin && minute < span.end;
    return minute >= span.begin || minute < span.end;
  });
}

core::Milliseconds UplinkHours::until_change(core::Wall now) const {
  const int second = second_of_day(now);
  int wait = kAskAgain;
  for (const Span& span : spans_) {
    for (const int change : {span.begin * 60, span.end * 60}) {
      const int until = (change - second + kSeconds) % kSeconds;
      if (until > 0) wait = std::min(wait, until);
    }
  }
  return std::chrono::seconds(wait);
}

}  // namespace gateway::sync
