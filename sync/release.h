// Results that devices told and no person has answered for yet: what waits, and its release, with
// Provenance (CLINICAL.md, Results). What the site declares autoverified, and what a laboratory
// released itself, never waits here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"

namespace gateway::sync {

/// {"results":[{"number","device","kind","received_at","patient","items":[{"resource","what",
/// "value","flag"}]}],"more":true}: by the message that told them last, the oldest first; of the
/// oldest 500 preliminary results, without a monitor's vital signs. `patient`: "Patient/ID".
core::Result<core::Json> unreleased_report(crypto::Connection& connection);

struct Releasing {
  const crypto::Audit& audit;
  const core::Clock& clock;
  const std::vector<std::string>& fhir_uplinks;
  std::string person;  // in the Provenance, as who verified
  std::string actor;   // in the audit trail
  std::string source;
};
/// Makes what message `number` told and is preliminary still final, writes one Provenance over it,
/// and queues all of it. Inside the caller's transaction. Answers the references that are final
/// now. Code::not_found: nothing of that message waits.
core::Result<std::vector<std::string>> release_results(crypto::Connection& connection,
                                                       const Releasing& with, std::int64_t number);

}  // namespace gateway::sync
