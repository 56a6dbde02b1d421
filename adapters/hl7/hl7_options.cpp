#include "adapters/hl7/hl7_options.h"

namespace gateway::adapters::hl7 {

core::Result<std::vector<Hl7Device>> hl7_devices(const core::Config& config) {
  GW_TRY(auto known, frame::read_devices(config, "hl7"));
  std::vector<Hl7Device> devices;
  for (frame::DeviceOptions& one : known) {
    Hl7Device& device = devices.emplace_back();
    static_cast<frame::DeviceOptions&>(device) = std::move(one);
    if (!device.model.empty()) {
      GW_TRY(device.monitor,
             profiles::profile_of_device(config, core::system_files(), device.profile.name, "hl7"));
    }
    GW_CHECK(frame::check_it_calls(config, device, "HL7"));
  }
  return devices;
}

}  // namespace gateway::adapters::hl7
