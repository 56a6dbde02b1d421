// A configured POCT1-A device with its profile.
#pragma once

#include <vector>

#include "adapters/frame/device_options.h"
#include "adapters/profiles/profile.h"
#include "core/config.h"
#include "core/files.h"
#include "core/result.h"

namespace gateway::adapters::poct1a {

struct Poct1aDevice {
  frame::DeviceOptions options;
  profiles::Profile profile;
};

/// The devices that speak POCT1-A, their profiles read; all of them call. Code::invalid names the
/// place and what to write instead.
core::Result<std::vector<Poct1aDevice>> poct1a_devices(const core::Config& config,
                                                       core::Files& files);

}  // namespace gateway::adapters::poct1a
