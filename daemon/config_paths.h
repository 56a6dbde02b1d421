// Which keys of the configuration are set: a registered path may hold "*" for names that the site
// chose ("uplink.*.url"). Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/config.h"

namespace gateway::daemon {

/// The key as it was given: each "*" is every name in use.
std::vector<std::string> paths_of(const core::Config& config, const core::ConfigKey& key);

/// All that is set, with the key it is of. `keys` outlives the answer.
std::vector<std::pair<std::string, const core::ConfigKey*>> keys_that_are_set(
    const core::Config& config, const std::vector<core::ConfigKey>& keys);

}  // namespace gateway::daemon
