// What changed from one reading of the configuration to the next, and how the old holds on where it
// must. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

namespace gateway::core {

/// At `table`, or below it: both dotted.
bool is_within(std::string_view path, std::string_view table);

/// What is set in one of the two only, or to another value; sorted.
std::vector<std::string> differences(const Config& one, const Config& other);

/// Makes everything in `config` at and below `path` what `from` has there.
void keep_as_in(Config& config, std::string_view path, const Config& from);

}  // namespace gateway::core
