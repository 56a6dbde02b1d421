#include "adapters/hl7/hl7_options.h"

#include "core/text.h"

namespace gateway::adapters::hl7 {

core::Result<std::vector<Hl7Device>> hl7_devices(const core::Config& config) {
  GW_TRY(std::vector<Hl7Device> devices, frame::read_devices(config, "hl7"));
  for (const Hl7Device& device : devices) {
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
