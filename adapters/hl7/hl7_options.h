// What a site says of each HL7 device: a table [device.NAME] per listener.
#pragma once

#include <optional>
#include <vector>

#include "adapters/frame/device_options.h"
#include "adapters/hl7/mllp_peer.h"
#include "adapters/profiles/profile.h"
#include "core/config.h"
#include "core/result.h"

namespace gateway::adapters::hl7 {

using mapping::DeviceProfile;
struct Hl7Device : frame::DeviceOptions {
  std::optional<profiles::Profile> model_profile;  // how its model speaks
  std::optional<MllpPeer> orders;  // where it takes the work orders it asked for; nothing: in the
                                   // answer

  const profiles::Profile* known_model() const { return model_profile ? &*model_profile : nullptr; }
};

/// The devices that speak HL7; all of them call. Code::invalid names the place and what to write
/// instead.
core::Result<std::vector<Hl7Device>> hl7_devices(const core::Config& config);

}  // namespace gateway::adapters::hl7
