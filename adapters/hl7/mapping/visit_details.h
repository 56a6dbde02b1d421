// What PV1 tells of a visit besides which it is, when and whose (v2-to-FHIR IG, PV1[Encounter]).
#pragma once

#include "adapters/hl7/mapping/mapping.h"

namespace gateway::adapters::hl7 {

/// Encounter.type (PV1-4), .serviceType (PV1-10) and .hospitalization: where the patient came from
/// (PV1-14) and went to (PV1-36, -37), a re-admission (PV1-13), what has to be minded (PV1-15).
void set_visit_details(Mapping& mapping, const Segment& visit, core::Json& body);

}  // namespace gateway::adapters::hl7
