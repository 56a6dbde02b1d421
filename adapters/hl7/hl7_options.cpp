#include "adapters/hl7/hl7_options.h"

#include "core/text.h"

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
    if (!device.line) continue;
    const std::string key = core::cat("device.", device.profile.name,
                                      device.line->host.empty() ? ".serial_port" : ".host");
    return core::Error(core::Code::invalid,
                       core::cat(config.where(key), ": ", key,
                                 ": HL7 devices call the gateway; remove it and write port"));
  }
  return devices;
}

}  // namespace gateway::adapters::hl7
