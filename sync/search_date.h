// FHIR dates as the span of time they stand for (R4 2.24.0.1, 3.1.1.4.7): "2026-03" is a month, not
// its first instant. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gateway::sync {

/// Milliseconds since 1970 UTC: the first of the span, and the first after it.
struct TimeSpan {
  std::int64_t low = 0;
  std::int64_t high = 0;
  bool zoned = false;  // the text names its zone
};

/// A date, dateTime or instant of any precision; what names no zone is taken as UTC. Nothing when
/// it is not one. A blank where the zone's plus belongs is taken for one: that is what a query
/// makes of it.
std::optional<TimeSpan> time_span(std::string_view text);

/// The same days and times by the clocks of the zone, unless the text named its own.
TimeSpan in_zone(const TimeSpan& span, std::string_view zone);

/// The moment as a FHIR instant, so that it compares with others as text.
std::string instant_text(std::int64_t milliseconds);

}  // namespace gateway::sync
