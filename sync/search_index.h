// The rows a resource is found by (migrations/0002_search.sql), kept by the replica in the
// transaction of each version.
#pragma once

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/replica.h"

namespace gateway::sync {

/// From what `before` is found by to what `after` is; null: there was none, or it is deleted. In
/// the caller's transaction.
core::Status index_resource(crypto::Connection& connection, const ResourceKey& key,
                            const core::Json& before, const core::Json& after);

/// Indexes what is held under the present table of parameters, where an older one, or none, made
/// the rows. In steps of a transaction each; a crash leaves it to be done again.
core::Status refresh_search_index(crypto::Database& database);

}  // namespace gateway::sync
