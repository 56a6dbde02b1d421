// Why a peer did not take something, without its own words, which may quote a patient: the HTTP
// status, and the codes of the OperationOutcome (FHIR R4, value set issue-type). Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"

namespace gateway::sync {

/// Codes of the issues of an OperationOutcome, " (processing, invalid)"; empty: none that FHIR
/// knows.
std::string issue_codes(const core::Json& outcome);

/// The class of a reason that the outbox keeps: "HTTP 422 (processing)", "HTTP 500", or "other".
/// Made of numbers and FHIR's own codes only, whatever the reason holds.
std::string refusal_class(std::string_view reason);

}  // namespace gateway::sync
