// Objects nobody wants any more go in three steps, each safe to repeat: a transaction dooms them
// (and says so in their rows), they are shredded, the list forgets them. After a crash whatever is
// still listed is shredded again.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/database.h"
#include "crypto/objects.h"

namespace gateway::sync {

/// In the transaction that takes the object from its row.
core::Status doom_object(crypto::Connection& connection, std::string_view object_id);

/// Shreds what is doomed until nothing is or `stopping`; answers how many objects went. One that
/// cannot be shredded ends it with its error and stays doomed.
core::Result<std::uint64_t> shred_doomed(crypto::Database& database, crypto::ObjectStore& objects,
                                         const core::Clock& clock,
                                         const std::function<bool()>& stopping);

}  // namespace gateway::sync
