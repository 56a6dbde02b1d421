#include "sync/search_date.h"

#include <chrono>

#include "core/civil_time.h"

namespace gateway::sync {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMinuteMs = 60'000;

/// Reads a text from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Exactly `count` digits.
  std::optional<int> number(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  /// Digits after the point: their value in milliseconds and the length of the last one's span.
  bool fraction(std::int64_t& value, std::int64_t& span) {
    std::size_t count = 0;
    std::int64_t scale = 1000;
    value = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      scale /= 10;
      value += scale * (rest_.front() - '0');
      rest_.remove_prefix(1);
      ++count;
    }
    span = scale > 0 ? scale : 1;
    return count > 0 && count <= 9;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> day_ms(int year, int month, int day) {
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year == 0) return std::nullopt;
  return duration_cast<milliseconds>(sys_days(date).time_since_epoch()).count();
}

std::optional<TimeSpan> span_from(std::optional<std::int64_t> low,
                                  std::optional<std::int64_t> high) {
  if (!low || !high) return std::nullopt;
  return TimeSpan{*low, *high};
}

/// The zone in minutes east of UTC.
std::optional<int> zone_minutes(Scanner& in) {
  if (in.take('Z')) return 0;
  int sign = 1;
  if (in.take('-')) {
    sign = -1;
  } else if (!in.take('+') && !in.take(' ')) {
    return std::nullopt;
  }
  const auto hours = in.number(2);
  if (!hours || !in.take(':')) return std::nullopt;
  const auto minutes = in.number(2);
  if (!minutes || *hours > 14 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

std::optional<TimeSpan> with_time(Scanner& in, std::int64_t day) {
  const auto hour = in.number(2);
  if (!hour || *hour > 23 || !in.take(':')) return std::nullopt;
  const auto minute = in.number(2);
  if (!minute || *minute > 59) return std::nullopt;
  std::int64_t at = day + (*hour * 60 + *minute) * kMinuteMs;
  std::int64_t span = kMinuteMs;
  if (in.take(':')) {
    const auto second = in.number(2);
    if (!second || *second > 60) return std::nullopt;
    at += *second * 1000;
    span = 1000;
    std::int64_t fraction = 0;
    if (in.take('.')) {
      if (!in.fraction(fraction, span)) return std::nullopt;
      at += fraction;
    }
  }
  if (in.done()) return TimeSpan{at, at + span};
  const auto zone = zone_minutes(in);
  if (!zone || !in.done()) return std::nullopt;
  at -= *zone * kMinuteMs;
  return TimeSpan{at, at + span, true};
}

}  // namespace

std::optional<TimeSpan> time_span(std::string_view text) {
  Scanner in(text);
  const auto year = in.number(4);
  if (!year) return std::nullopt;
  if (in.done()) return span_from(day_ms(*year, 1, 1), day_ms(*year + 1, 1, 1));
  if (!in.take('-')) return std::nullopt;
  const auto month = in.number(2);
  if (!month) return std::nullopt;
  if (in.done()) {
    const bool last = *month == 12;
    return span_from(day_ms(*year, *month, 1),
                     day_ms(last ? *year + 1 : *year, last ? 1 : *month + 1, 1));
  }
  if (!in.take('-')) return std::nullopt;
  const auto day = in.number(2);
  if (!day) return std::nullopt;
  const auto begin = day_ms(*year, *month, *day);
  if (!begin) return std::nullopt;
  if (in.done()) return TimeSpan{*begin, *begin + 24 * 60 * kMinuteMs};
  if (!in.take('T')) return std::nullopt;
  return with_time(in, *begin);
}

TimeSpan in_zone(const TimeSpan& span, std::string_view zone) {
  if (span.zoned) return span;
  return {core::from_local_ms(span.low, zone), core::from_local_ms(span.high, zone), true};
}

std::string instant_text(std::int64_t value) {
  return core::to_instant(core::Wall(milliseconds(value)));
}

}  // namespace gateway::sync
