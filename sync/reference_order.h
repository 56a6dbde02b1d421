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

struct ReferenceOrder {
  // An outbox row that has to be done before: of a resource that it, or one of its circle, refers
  // to, and that the uplink has never confirmed.
  std::optional<std::int64_t> first;
  // Rows of the others that refer to each other in a circle with it (a strongly connected group),
  // none confirmed: they go together.
  std::vector<std::int64_t> circle;
};

core::Result<ReferenceOrder> reference_order(crypto::Connection& connection,
                                             std::string_view uplink, const ResourceKey& key,
                                             const core::Json& body);

}  // namespace gateway::sync
