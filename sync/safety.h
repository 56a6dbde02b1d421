// Which of two statuses is the safer to go by while nobody has decided, under the policy table's
// Safety (sync/conflict_policy.h). Of the elements of one group. Pure.
#pragma once

#include <string_view>

#include "core/json.h"
#include "sync/conflict_policy.h"

namespace gateway::sync {

/// A code, or a CodeableConcept's first code.
std::string_view code_of(const core::Json& element);

/// status or verificationStatus says entered-in-error: there is nothing to be safe about any more.
bool is_retracted(const core::Json& elements);

/// `to` retracts or stops what `from` did not: it acts on both sides at once. `row`: null where the
/// policy has none.
bool acts_at_once(const ElementGroup* row, const core::Json& from, const core::Json& to);

/// `to` says less safe what somebody may rely on since `from`.
bool takes_back(const ElementGroup& row, const core::Json& from, const core::Json& to);

/// Going by the element that comes nearest to saying that it does not stand. A retraction is the
/// safest.
bool is_safer(const ElementGroup& row, const core::Json& elements, const core::Json& than);

}  // namespace gateway::sync
