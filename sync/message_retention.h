// When the raw bytes of a message may go: it is stored, old enough, every result it told of is
// released, and nothing of it waits for an uplink. What waits for a person (dead, unassigned)
// stays. What is known of the message stays in any case, so that a repeat is recognised.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

struct MessageWalk {
  std::int64_t after = 0;  // number of the last message looked at
  bool ended = false;      // the last step met the newest, or one too young
};

/// Looks at the next `rows_max` messages and lets go of what may go of those received before
/// `before` (instant); answers how many went. The step after the last begins at the oldest again.
core::Result<std::int64_t> expire_raw_messages(crypto::Connection& connection,
                                               const std::string& before, std::int64_t rows_max,
                                               MessageWalk& walk);

}  // namespace gateway::sync
