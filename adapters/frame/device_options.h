// What a site says of each device: a table [device.NAME]. The keys are the same for all protocols.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "adapters/frame/dialled_lines.h"
#include "adapters/frame/listeners.h"
#include "adapters/mapping/device_profile.h"
#include "core/config.h"
#include "core/result.h"

namespace gateway::adapters::frame {

struct DeviceOptions {
  mapping::DeviceProfile profile;
  std::string model;         // id of the profile that says how the model speaks; may be empty
  ListenerOptions listener;  // unless there is a line
  std::optional<LineOptions> line;     // a serial port, or a device that is called
  core::Milliseconds silent_after{0};  // without a word for so long, somebody should look; 0: never
  std::size_t message_bytes_max = 16U << 20;
  bool sets_clock = false;  // the device's, to this gateway's
};

/// The keys of device.* and profiles.*.
std::vector<core::ConfigKey> device_config_keys();

/// The devices of one protocol. Reads also site.timezone and dicom.patient_id_issuer, the site's
/// defaults. Code::invalid names the place and what to write instead.
core::Result<std::vector<DeviceOptions>> read_devices(const core::Config& config,
                                                      std::string_view protocol);

/// Code::invalid where the device is to be called, or has a serial line; `what`: "HL7".
core::Status check_it_calls(const core::Config& config, const DeviceOptions& device,
                            std::string_view what);

}  // namespace gateway::adapters::frame
