#include "adapters/astm/astm_options.h"

#include "core/text.h"

namespace gateway::adapters::astm {

using core::cat;

core::Result<std::vector<AstmDevice>> astm_devices(const core::Config& config, core::Files& files) {
  GW_TRY(std::vector<frame::DeviceOptions> options, frame::read_devices(config, "astm"));
  std::vector<AstmDevice> devices;
  for (frame::DeviceOptions& one : options) {
    const std::string& name = one.profile.name;
    if (one.model.empty()) {
      const std::string key = cat("device.", name, ".profile");
      return core::Error(core::Code::invalid,
                         cat(config.where(key), ": ", key,
                             ": an ASTM device needs one; \"generic-astm\" where there is none for "
                             "the model"));
    }
    GW_TRY(auto profile, profiles::profile_of_device(config, files, name, "astm"));
    devices.push_back({std::move(one), std::move(profile)});
  }
  return devices;
}

}  // namespace gateway::adapters::astm
