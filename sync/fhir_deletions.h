// Finds out what was deleted at a FHIR server, which a search never shows: by the type's history
// (R4 3.1.0.12), every half hour of the server's time; by an inventory where a server has no type
// history (sync/fhir_inventory.h). What the history names is read before anything is believed of
// it.
#pragma once

#include <string>
#include <string_view>

#include "sync/fhir_pull.h"

namespace gateway::sync {

/// Of the type a query is about: where its deletions are found, which also names their cursor.
std::string history_path(std::string_view query);

/// For one query that has just been pulled to its end.
core::net::Awaitable<core::Status> pull_deletions(const Pulling& pulling, std::string query);

/// Reads what is said to be gone (`theirs`: as the server names it), then applies it as
/// apply_deletion() does. crossed: it was not answered, or our own delivery of it was under way;
/// ask again.
core::net::Awaitable<core::Result<Applied>> confirm_deletion(const Pulling& pulling,
                                                             ResourceKey key, ResourceKey theirs);

core::net::Awaitable<core::Status> save_cursor(const Pulling& pulling, std::string name,
                                               std::string since);

/// Applies a deletion inside the caller's transaction: a tombstone, or a review where the clinic
/// has a change that is not delivered yet (the change stays).
core::Result<Applied> apply_deletion(crypto::Connection& connection, const Reconciling& with,
                                     const ResourceKey& key, std::string_view remote_version,
                                     bool crossed);

}  // namespace gateway::sync
