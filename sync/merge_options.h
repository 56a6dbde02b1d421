// What a site chose otherwise than the policy table (sync/conflict_policy.h), from its
// configuration.
#pragma once

#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "sync/conflict_policy.h"

namespace gateway::sync {

/// "merge.TYPE.GROUP" of each row that leaves a choice, with the rules it may be; "any" is every
/// type.
std::vector<core::ConfigKey> merge_config_keys();

/// Code::invalid: a rule that a row may not be, which the keys' choices keep from being read.
core::Result<MergePolicy> merge_policy(const core::Config& config);

}  // namespace gateway::sync
