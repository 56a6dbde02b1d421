#include "daemon/device_decoders.h"

#include <algorithm>

#include "adapters/astm/astm_options.h"
#include "adapters/astm/message_reader.h"
#include "adapters/hl7/hl7_options.h"
#include "adapters/hl7/message_reader.h"
#include "core/text.h"

namespace gateway::daemon {

adapters::Decoders device_decoders(const core::Config& config, const core::Clock& clock) {
  adapters::Decoders decoders;
  if (const auto devices = adapters::hl7::hl7_devices(config); devices.ok()) {
    for (const auto& device : *devices)
      decoders.emplace(device.profile.name, adapters::hl7::decoder_of(device.profile, clock));
  }
  if (const auto devices = adapters::astm::astm_devices(config, core::system_files());
      devices.ok()) {
    for (const auto& device : *devices)
      decoders.emplace(device.options.profile.name, adapters::astm::decoder_of(device));
  }
  return decoders;
}

bool has_device(const core::Config& config, std::string_view protocol) {
  const auto names = config.names("device");
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return config.text(core::cat("device.", name, ".protocol")) == protocol;
  });
}

}  // namespace gateway::daemon
