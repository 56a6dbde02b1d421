// Times and numbers as devices send them, in FHIR R4's data types. Nothing is converted or rounded:
// what FHIR cannot hold as sent stands beside as an extension.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"

namespace gateway::adapters::mapping {

/// FHIR extensions of ours.
inline constexpr std::string_view kSentAs =
    "urn:clinic-gateway:extension:sent-as";  // valueString: the text that was sent
inline constexpr std::string_view kAssumedZone =
    "urn:clinic-gateway:extension:assumed-zone";  // valueString: the zone taken for a time without

inline constexpr std::string_view kUcum = "http://unitsofmeasure.org";

/// Sets the member unless the value is null, an empty text, array or object.
void set_if(core::Json& object, std::string_view member, core::Json value);

/// A FHIR decimal (R4 2.24.0.1) as sent, or with leading zeros and signs put right; null: none.
core::Json decimal(std::string_view text);
/// A Quantity without a unit; "065.88" becomes 65.88 with what was sent beside. Null: no number.
core::Json quantity(std::string_view number);

/// A time as FHIR text, and what must be said beside it.
struct FhirTime {
  std::string text;   // dateTime; empty: not a time
  core::Json beside;  // {"extension":[...]} for the "_" member, or null
};
/// YYYY[MM[DD[HH[MM[SS[.S...]]]]]][+/-ZZZZ], as HL7 v2 and LIS02 write it, or the same with the
/// signs of ISO 8601. `zone`: the IANA zone of a time without one.
FhirTime fhir_time(std::string_view text, std::string_view zone);
/// Sets object.member (and object._member).
void set_time(core::Json& object, std::string_view member, const FhirTime& time);
/// As an instant in UTC, for ordering; empty when it is no time of day.
std::string utc_instant(std::string_view sent, std::string_view zone);
/// For sync::Draft::seed_at; none where the text tells no moment.
core::Wall seed_time(std::string_view sent, std::string_view zone);
/// The same of when a message was written, by which a device's clock is judged: a date alone tells
/// nothing.
core::Wall written_at(std::string_view sent, std::string_view zone);

}  // namespace gateway::adapters::mapping
