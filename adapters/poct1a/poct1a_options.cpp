#include "adapters/poct1a/poct1a_options.h"

#include "core/text.h"

namespace gateway::adapters::poct1a {

core::Result<std::vector<Poct1aDevice>> poct1a_devices(const core::Config& config,
                                                       core::Files& files) {
  GW_TRY(std::vector<frame::DeviceOptions> options, frame::read_devices(config, "poct1a"));
  std::vector<Poct1aDevice> devices;
  for (frame::DeviceOptions& one : options) {
    GW_CHECK(frame::check_it_calls(config, one, "POCT1-A"));
    GW_CHECK(profiles::check_named(config, one.profile.name, "a POCT1-A device", "generic-poct1a"));
    GW_TRY(auto profile, profiles::profile_of_device(config, files, one.profile.name, "poct1a"));
    devices.push_back({std::move(one), std::move(profile)});
  }
  return devices;
}

}  // namespace gateway::adapters::poct1a
