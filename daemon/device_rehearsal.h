// What each shipped or site profile makes of its fixtures, whatever it speaks.
#pragma once

#include <string>
#include <vector>

#include "adapters/profiles/rehearsal.h"

namespace gateway::daemon {

/// adapters::profiles::rehearse_fixtures() with the decoder of the profile's protocol.
core::Result<std::vector<adapters::profiles::FixtureOutcome>> rehearse_profile(
    core::Files& files, const std::string& folder);

/// What the profile's protocol makes of fixtures: adapters::profiles::Rehearse.
core::Result<core::Json> rehearse(const adapters::profiles::Profile& profile,
                                  const std::vector<adapters::profiles::Fixture>& fixtures);

/// What the profile makes of what a device said on one connection, as recorded: the messages that
/// would come of it, of the device `site`. `profile`: its protocol is that of the device, also
/// where a third-party adapter has none; an HL7 device without one has an empty profile.
core::Result<core::Json> replay(const adapters::profiles::Profile& profile,
                                const adapters::mapping::DeviceProfile& site,
                                const std::string& heard);

}  // namespace gateway::daemon
