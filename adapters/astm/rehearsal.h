// What a profile makes of an ASTM fixture: a capture with its control characters, or its records
// alone, a line each.
#pragma once

#include <string_view>

#include "adapters/profiles/profile.h"
#include "adapters/profiles/rehearsal.h"
#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::astm {

/// As profiles::Rehearse, of the device `site`. Code::invalid: no whole message came through the
/// link layer.
core::Result<core::Json> rehearse(
    profiles::Profile profile, std::string_view fixture,
    const mapping::DeviceProfile& site = profiles::rehearsed_device());

}  // namespace gateway::adapters::astm
