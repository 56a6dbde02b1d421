// What a Patient holds besides who it is (v2-to-FHIR IG, PID[Patient], PD1[Patient],
// NK1[Patient]); each answers null where the message tells nothing of it.
#pragma once

#include <optional>
#include <string>

#include "adapters/hl7/mapping/mapping.h"

namespace gateway::adapters::hl7 {

/// PID-13, at home, PID-14, at work, and PID-40.
core::Json patient_telecoms(Mapping& mapping, const Segment& pid);
/// PID-11, with the county of PID-12.
core::Json patient_addresses(Mapping& mapping, const Segment& pid);
/// PID-15: a language of ISO 639-1 as FHIR names it (BCP 47).
core::Json patient_language(Mapping& mapping, const Segment& pid);
/// NK1. Nobody is a contact of whom neither name, address, number nor organization is known
/// (FHIR pat-1).
core::Json patient_contacts(Mapping& mapping);
/// PD1-3 and -4.
core::Json general_practitioners(Mapping& mapping);

/// Table 0001, in either case, or its words; anything else is counted.
std::string gender_of(Mapping& mapping, const Piece& field);
/// Table 0136, or its words.
std::optional<bool> yes_or_no(const Piece& field);

}  // namespace gateway::adapters::hl7
