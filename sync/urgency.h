// What goes first over a link that has been down: the turn of a resource in the outbox. Pure.
// FHIR R4 request priority (Task, ServiceRequest, MedicationRequest, CommunicationRequest);
// v3 ObservationInterpretation for critical results (CLINICAL.md, Results).
#pragma once

#include "core/json.h"

namespace gateway::sync {

/// A lower turn goes first.
enum class Turn : int {
  stat = 0,  // also critical results
  asap = 1,
  urgent = 2,
  routine = 3,
};
/// A result, or a component of it, that cannot wait.
bool is_critical(const core::Json& result);
Turn turn_of(const core::Json& resource);

}  // namespace gateway::sync
