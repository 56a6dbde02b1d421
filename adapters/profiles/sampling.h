// Which of a monitor's values are sent on, as a profile says it: one of a kind every so often, one
// that changed by so much, one whose alarm flag changed. The others stay in the gateway
// (sync/samples.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"

namespace gateway::adapters::profiles {

struct Sampling {
  core::Milliseconds interval{0};        // 0: every value is sent
  std::map<std::string, double> change;  // of a code: what is sent at once
};

/// The keys of profiles of monitors.
std::vector<core::ConfigKey> sampling_keys();
/// Code::invalid names file, line and key.
core::Result<Sampling> read_sampling(const core::Config& config);

}  // namespace gateway::adapters::profiles
