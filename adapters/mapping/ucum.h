// Units as devices write them to UCUM codes. Nothing is ever converted: a unit has the same
// magnitude under both names, and the text that was sent stays beside the code.
#pragma once

#include <string>
#include <string_view>

namespace gateway::adapters::mapping {

/// The UCUM code of a unit as sent; empty when no row knows it. Case matters where UCUM's does
/// ("mmol/L" and "mmol/l" are both known; "Mmol/L" is nothing).
std::string ucum_code(std::string_view unit);

/// A unit that was cut at a ^ its sender did not escape ("10^3/uL"), whole again; any other `unit`
/// as it is. `behind`: what stands behind the ^.
std::string power_of_ten(std::string unit, std::string_view behind);

}  // namespace gateway::adapters::mapping
