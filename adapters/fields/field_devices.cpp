#include "adapters/fields/field_devices.h"

namespace gateway::adapters::fields {

core::Result<std::vector<FieldDevice>> field_devices(const core::Config& config, core::Files& files,
                                                     std::string_view protocol) {
  GW_TRY(auto options, frame::read_devices(config, protocol));
  std::vector<FieldDevice> devices;
  for (frame::DeviceOptions& one : options) {
    FieldDevice device;
    if (!one.model.empty()) {
      GW_TRY(device.profile,
             profiles::profile_of_device(config, files, one.profile.name, protocol));
    }
    device.options = std::move(one);
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace gateway::adapters::fields
