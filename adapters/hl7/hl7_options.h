// What a site says of each HL7 device: a table [device.NAME] per listener.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "adapters/frame/tcp_server.h"
#include "adapters/hl7/mapping/mapping.h"
#include "core/config.h"
#include "core/result.h"

namespace gateway::adapters::hl7 {

struct Hl7Device {
  DeviceProfile profile;
  frame::TcpListenerOptions listener;
  std::size_t message_bytes_max = 16U << 20;
};

/// device.*.protocol, .bind, .port, .timezone, .patient_id_issuer, .character_set, .autoverified,
/// .max_connections, .idle_timeout_s, .message_max_mb.
std::vector<core::ConfigKey> hl7_config_keys();

/// The devices that speak HL7. Reads also site.timezone and dicom.patient_id_issuer, the site's
/// defaults. Code::invalid names the place and what to write instead.
core::Result<std::vector<Hl7Device>> hl7_devices(const core::Config& config);

}  // namespace gateway::adapters::hl7
