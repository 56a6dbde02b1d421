// What a profile makes of its fixtures, without a gateway: for devices test and for whoever writes
// a profile. Fixtures lie in fixtures/; those of one name but for the end go together. What is
// expected of them lies in expected/ under that name with .json.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "adapters/mapping/device_profile.h"
#include "adapters/profiles/profile.h"
#include "core/files.h"
#include "core/json.h"
#include "sync/intake.h"

namespace gateway::adapters::profiles {

struct Fixture {
  std::string name;
  std::string bytes;
};

/// {"messages":[...]} of outcome_of(), or why there is none.
using Rehearse = std::function<core::Result<core::Json>(const Profile& profile,
                                                        const std::vector<Fixture>& fixtures)>;

/// The device of every rehearsal: "device" in Africa/Blantyre, its ids urn:example:patients and
/// urn:example:specimens.
mapping::DeviceProfile rehearsed_device();
/// {"kind","dead_because","ids","carriers","patient","resources","gaps"}.
core::Json outcome_of(const sync::IncomingMessage& message);

struct FixtureOutcome {
  std::string name;
  std::vector<std::string> differences;  // empty: as expected
};
/// Every fixture of the profile, in name order. An Error: the profile itself cannot be used.
core::Result<std::vector<FixtureOutcome>> rehearse_fixtures(core::Files& files,
                                                            const std::string& folder,
                                                            const Rehearse& rehearse);

}  // namespace gateway::adapters::profiles
