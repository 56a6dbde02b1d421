// How two JSON values differ, for a person: a line per place.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"

namespace gateway::adapters::profiles {

/// "resources[2].valueQuantity.value: expected 2.0, came 2". Numbers are compared as written.
/// Empty: equal.
std::vector<std::string> difference(const core::Json& expected, const core::Json& actual);

/// Indented text, a member or item a line, for files a person reviews.
std::string pretty(const core::Json& value);

}  // namespace gateway::adapters::profiles
