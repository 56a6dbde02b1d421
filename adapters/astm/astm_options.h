// A configured ASTM device with its profile.
#pragma once

#include <vector>

#include "adapters/frame/device_options.h"
#include "adapters/profiles/profile.h"
#include "core/config.h"
#include "core/files.h"
#include "core/result.h"

namespace gateway::adapters::astm {

struct AstmDevice {
  frame::DeviceOptions options;
  profiles::Profile profile;
};

/// The devices that speak ASTM, their profiles read. Code::invalid names the place and what to
/// write instead.
core::Result<std::vector<AstmDevice>> astm_devices(const core::Config& config, core::Files& files);

}  // namespace gateway::adapters::astm
