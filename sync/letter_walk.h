// The messages that wait for a person, a page at a time, for working on many of them again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

struct LetterFilter {
  std::string device;  // empty: of all
  std::string reason;  // a part of the reason; empty: whatever it is
};

/// The numbers of those behind `after`, the oldest first. What a device has not sent the rest of is
/// left out: the whole is still to come.
core::Result<std::vector<std::int64_t>> letters_behind(crypto::Connection& connection,
                                                       const LetterFilter& filter,
                                                       std::int64_t after, std::size_t count_max);

}  // namespace gateway::sync
