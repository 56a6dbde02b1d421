// The configuration for whoever shall not know its secrets: every key that is set is named, a value
// is shown only where it can be none. Numbers, yes or no, and one of given words can be none; of
// the texts only those are shown that stand in a list. Pure.
#pragma once

#include <vector>

#include "core/config.h"
#include "core/json.h"

namespace gateway::daemon {

/// [{"key","shown":true,"value"}] or, where it is not shown, [{"key","shown":false}].
core::Json config_outline(const core::Config& config, const std::vector<core::ConfigKey>& keys);

}  // namespace gateway::daemon
