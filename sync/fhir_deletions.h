// Finds out what was deleted at a FHIR server, which a search never shows: by the type's history
// (R4 3.1.0.12), every half hour of the server's time. A server without a type history answers it
// with an error, and its deletions come to light when our own change meets them. What the history
// names is read before anything is believed of it.
#pragma once

#include <string>
#include <string_view>

#include "sync/fhir_pull.h"

namespace gateway::sync {

/// Of the type a query is about: where its deletions are found, which also names their cursor.
std::string history_path(std::string_view query);

/// For one query that has just been pulled to its end.
core::net::Awaitable<core::Status> pull_deletions(const Pulling& pulling, std::string query);

/// Applies a deletion inside the caller's transaction: a tombstone, or a review where the clinic
/// has a change that is not delivered yet (the change stays).
core::Result<Applied> apply_deletion(crypto::Connection& connection, const Reconciling& with,
                                     const ResourceKey& key, std::string_view remote_version,
                                     bool crossed);

}  // namespace gateway::sync
