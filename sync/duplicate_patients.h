// A patient registered here while the hospital could not be asked, and the hospital's own record of
// the same identifier: proposed to the hospital as one person, never merged here (CLINICAL.md,
// Identity). Inside the caller's transaction.
#pragma once

#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/reconcile.h"
#include "sync/replica.h"

namespace gateway::sync {

/// `arrived`: a Patient as the hospital has it, held already. For each Patient made here that
/// carries one of its identifiers (issuer and value, not an old one) and is not known as the same
/// person: a Task "merge patients" to that hospital, in the outbox, with an audit row. The same two
/// are proposed once, whatever becomes of the Task.
core::Status propose_merges(crypto::Connection& connection, const Reconciling& with,
                            const core::Json& arrived, std::string_view now);

/// The same for a Patient entered here, after it was stored: with each record a hospital told of
/// that carries one of its identifiers.
core::Status propose_own(crypto::Connection& connection, const crypto::Audit& audit,
                         const core::Clock& clock, const core::Json& entered);

}  // namespace gateway::sync
