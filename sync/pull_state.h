// What a pull leaves behind it and finds: its cursors, and what is queued the other way. Inside the
// caller's transaction.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/replica.h"
#include "sync/worklist.h"

namespace gateway::sync {

/// How far something was asked for: a FHIR instant, or a number of our own; empty: there is none
/// yet. `query` names it.
core::Result<std::string> saved_cursor(crypto::Connection& connection, std::string_view uplink,
                                       std::string_view query);
core::Status put_cursor(crypto::Connection& connection, std::string_view uplink,
                        std::string_view query, std::string_view since);

/// What is queued for the uplink of a resource: nothing, a row that waits, or one on its way now.
enum class Queued { nothing, waiting, sending };
core::Result<Queued> find_queued(crypto::Connection& connection, std::string_view uplink,
                                 const ResourceKey& key);

/// Brings the worklist up to date with a resource that came, changed or went, on whatever way.
core::Status refresh_after(crypto::Connection& connection, const ResourceKey& key,
                           const WorklistOptions& worklist);

}  // namespace gateway::sync
