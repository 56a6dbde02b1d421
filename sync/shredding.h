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

/// Shreds each that is doomed, or until `stopping`; answers how many objects went. One that cannot
/// be shredded stays doomed, and its error is answered once the others have gone.
core::Result<std::uint64_t> shred_doomed(crypto::Database& database, crypto::ObjectStore& objects,
                                         const core::Clock& clock,
                                         const std::function<bool()>& stopping);

}  // namespace gateway::sync
