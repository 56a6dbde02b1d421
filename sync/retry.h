// How long to wait before trying again: exponential with full jitter, so that a thousand gateways
// do not come back at the same moment. Pure: the random number is the caller's.
#pragma once

#include <cstdint>

#include "core/clock.h"

namespace gateway::sync {

struct RetryPace {
  core::Milliseconds first{1'000};
  core::Milliseconds longest{60'000};
};

/// The wait after `failures` failures in a row (1, 2, ...): between half and all of min(longest,
/// first * 2^(failures-1)), placed by `random`, any 64-bit value.
core::Milliseconds retry_delay(const RetryPace& pace, unsigned failures, std::uint64_t random);

}  // namespace gateway::sync
