#include "adapters/astm/astm_options.h"

namespace gateway::adapters::astm {

core::Result<std::vector<AstmDevice>> astm_devices(const core::Config& config, core::Files& files) {
  GW_TRY(std::vector<frame::DeviceOptions> options, frame::read_devices(config, "astm"));
  std::vector<AstmDevice> devices;
  for (frame::DeviceOptions& one : options) {
    const std::string& name = one.profile.name;
    GW_CHECK(profiles::check_named(config, name, "an ASTM device", "generic-astm"));
    GW_TRY(auto profile, profiles::profile_of_device(config, files, name, "astm"));
    devices.push_back({std::move(one), std::move(profile)});
  }
  return devices;
}

}  // namespace gateway::adapters::astm
