// Dates and times between FHIR (R4 2.24.0.1 dateTime, instant), DICOM (PS3.5 6.2 DA, TM) and the
// site's time zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace gateway::core {

/// True for an IANA zone name the machine's tz database knows.
bool is_time_zone(std::string_view name);

/// A FHIR instant or dateTime with time and zone, as a point in time; nothing when it is not one.
/// Years before 1678 and after 2261 count as the clock's ends.
std::optional<Wall> parse_instant(std::string_view text);

/// An RFC 9110 HTTP-date ("Sun, 22 Nov 2026 05:09:10 GMT"), and back.
std::optional<Wall> parse_http_date(std::string_view text);
std::string to_http_date(Wall time);

/// DICOM DA and TM; `time` empty when the source has no time of day, both empty when it is not a
/// date.
struct DicomTime {
  std::string date;
  std::string time;
};
/// A FHIR dateTime in the zone's local time; a date without time passes through, a partial date
/// (year, month) has no DA form.
DicomTime to_dicom_time(std::string_view fhir_date_time, std::string_view zone);

/// When the zone's clocks show a time that is given as if they showed UTC, in milliseconds since
/// 1970; the earlier where they show it twice. UTC where the zone is unknown.
std::int64_t from_local_ms(std::int64_t local_ms, std::string_view zone);

/// DA and TM taken as local time of the zone, as a FHIR dateTime with offset. TM may be partial or
/// carry fractions (padded or cut to seconds). Date only when `time` is empty or no TM; empty when
/// `date` is no DA.
std::string to_fhir_date_time(std::string_view date, std::string_view time, std::string_view zone);

/// DA to FHIR date and back; empty when the input is not one.
std::string to_fhir_date(std::string_view dicom_date);
std::string to_dicom_date(std::string_view fhir_date);

}  // namespace gateway::core
