// The states a FHIR R4 status goes through, and those it does not leave without a person. Pure
// data; docs/sync.md shows it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace gateway::sync {

/// Steps in the order they are gone through, any of them may be skipped; the states of one step are
/// alternatives. The last step holds the end states. entered-in-error absorbs everywhere and is not
/// listed; results never end, they are amended (CLINICAL.md), and have no row.
struct StatusMachine {
  std::string_view type;
  std::vector<std::vector<std::string_view>> steps;
};
std::span<const StatusMachine> status_machines();

/// Nobody leaves it without a person.
bool is_end_state(std::string_view type, std::string_view status);

/// `status` stands at a later step of the type's machine than `than`. False where either is not of
/// the machine.
bool is_later_status(std::string_view type, std::string_view status, std::string_view than);

}  // namespace gateway::sync
