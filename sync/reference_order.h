// A resource must not reach a server before what it refers to. Inside the caller's transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/replica.h"

namespace gateway::sync {

/// Every relative literal reference in the resource, contained ones excepted, in order, once each.
std::vector<ResourceKey> references_of(const core::Json& resource);

/// The outbox row of a resource that `body` refers to and that `uplink` has never confirmed;
/// nothing when it may go. Rows that wait for each other in a circle do not hold each other back.
core::Result<std::optional<std::int64_t>> row_to_wait_for(crypto::Connection& connection,
                                                          std::string_view uplink,
                                                          const ResourceKey& key,
                                                          const core::Json& body);

}  // namespace gateway::sync
