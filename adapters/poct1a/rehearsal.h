// What a profile makes of a POCT1-A fixture: the documents a device sends on one connection, its
// hello among them, bare or framed.
#pragma once

#include <string_view>

#include "adapters/profiles/profile.h"
#include "adapters/profiles/rehearsal.h"
#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::poct1a {

/// As profiles::Rehearse, of the device `site`. Code::invalid: no document that becomes a message
/// is in it.
core::Result<core::Json> rehearse(
    profiles::Profile profile, std::string_view fixture,
    const mapping::DeviceProfile& site = profiles::rehearsed_device());

}  // namespace gateway::adapters::poct1a
