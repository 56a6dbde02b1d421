// A prescription from one side and an allergy of the same patient from the other: neither changes
// the other's resource, so no merge would meet them, and a person must.
#pragma once

#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/reconcile.h"

namespace gateway::sync {

/// May the patient be harmed, as far as both can tell? `other_side_knew`: whoever wrote the later
/// of the two may have seen the other one; then codes of one system that differ are believed.
/// Prescriptions that are not in force and allergies that were refuted, resolved or retracted harm
/// nobody.
bool may_harm(const core::Json& prescription, const core::Json& allergy, bool other_side_knew);

/// For a MedicationRequest or AllergyIntolerance (and a Patient, see below) that came from the
/// hospital's server or was merged with what came: `before` and `after` are what was and is
/// shown here, null for nothing. Where it became one that may harm, opens a review of the
/// prescription for each of the patient's other kind that the hospital may not have known of. Both
/// resources stay as they are, and nothing waits. A Patient that became one the hospital replaced:
/// the same for the prescriptions of each record against the allergies of the other, which nobody
/// can have seen together. In the caller's transaction.
core::Status flag_contraindications(crypto::Connection& connection, const Reconciling& with,
                                    const ResourceKey& arrived, const core::Json& before,
                                    const core::Json& after, std::string_view now_instant);

}  // namespace gateway::sync
