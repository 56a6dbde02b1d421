// What a profile makes of its fixtures, without a gateway: for devices test and for whoever writes
// a profile. A fixture is a capture with its control characters, or its records alone, a line each;
// what is expected of it lies in expected/ under the same name with .json.
#pragma once

#include <string>
#include <vector>

#include "adapters/profiles/profile.h"
#include "core/files.h"
#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::astm {

/// {"messages":[{"kind","dead_because","ids","carriers","patient","resources","gaps"}]}, as of a
/// device "device" in Africa/Blantyre whose ids are urn:example:patients and
/// urn:example:specimens. Code::invalid: no whole message came through the link layer.
core::Result<core::Json> rehearse(profiles::Profile profile, std::string_view fixture);

struct FixtureOutcome {
  std::string name;
  std::vector<std::string> differences;  // empty: as expected
};
/// Every fixture of the profile, in name order. An Error: the profile itself cannot be used.
core::Result<std::vector<FixtureOutcome>> rehearse_fixtures(core::Files& files,
                                                            const std::string& folder);

}  // namespace gateway::adapters::astm
