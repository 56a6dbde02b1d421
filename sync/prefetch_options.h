// The configuration keys of prefetching, and what is built from them.
#pragma once

#include <vector>

#include "core/config.h"
#include "sync/prefetch.h"

namespace gateway::sync {

std::vector<core::ConfigKey> prefetch_config_keys();

/// But for the hours of the uplink.
PrefetchOptions prefetch_options(const core::Config& config);

}  // namespace gateway::sync
