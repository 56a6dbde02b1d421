// Brings clinic and hospital together on a resource both changed: merges under the policy, keeps
// all versions, leaves a review, a Provenance and an audit row, and says what is still to be sent.
#pragma once

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "sync/conflict_policy.h"
#include "sync/replica.h"

namespace gateway::sync {

struct Reconciling {
  const crypto::Audit& audit;
  const core::Clock& clock;
  std::string uplink;
  const MergePolicy& policy = usual_policy();
};

/// `theirs` is the hospital's version as read from it, null where it was deleted there
/// (`theirs_version`: the versionId of that, where it is known). Afterwards it is the agreed
/// version, the replica shows the merge, and an outbox row is waiting where the hospital, or
/// another uplink that agreed on an earlier version, has yet to learn something. Where an identity
/// is asked about, the others are told when a person has decided. In the caller's transaction.
core::Status reconcile(crypto::Connection& connection, const Reconciling& with,
                       const ResourceKey& key, const core::Json& theirs,
                       std::string_view theirs_version);

/// What the clinic changes of what the hospital keeps (Rule::his) goes to a person before it goes
/// to the hospital, also where the hospital changed nothing. What another uplink's hospital said is
/// not the clinic's. Answers the agreed version `base` as `theirs` for reconcile(), or nothing
/// where `ours` may go as it is.
core::Result<std::optional<core::Json>> proposed_against(crypto::Connection& connection,
                                                         const std::string& uplink,
                                                         const ResourceKey& key, std::int64_t base,
                                                         const core::Json& ours);

}  // namespace gateway::sync
