// What a person calls a code and a result (FHIR R4 CodeableConcept, Observation). Pure.
#pragma once

#include <string>

#include "core/json.h"

namespace gateway::sync::fhir {

/// Of a CodeableConcept: its text, else the first display, else the first code; empty: none.
std::string words_of(const core::Json& coded);
/// Of an Observation's or component's value: "<0.5 mg/dL"; empty: none, or of another type.
std::string value_of(const core::Json& result);

}  // namespace gateway::sync::fhir
