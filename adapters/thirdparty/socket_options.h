// What a site says of each third-party adapter: a table [device.NAME] with protocol = "socket".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/fields/field_mapping.h"
#include "core/config.h"
#include "core/files.h"

namespace gateway::adapters::thirdparty {

/// The keys of third-party adapters, beside those of every device.
std::vector<core::ConfigKey> socket_config_keys();

struct SocketDevice {
  /// Without a model its profile is empty: HL7 and documents. Its listener is a Unix socket.
  fields::FieldDevice device;
  std::string token_sha256;  // in lower-case hex
  std::int64_t messages_per_s = 100;

  bool is_token(std::string_view shown) const;
};

/// Code::invalid names the place and what to write instead.
core::Result<std::vector<SocketDevice>> socket_devices(const core::Config& config,
                                                       core::Files& files);

}  // namespace gateway::adapters::thirdparty
