#include "sync/status_machine.h"

#include <algorithm>
#include <optional>

namespace gateway::sync {
namespace {

const std::vector<StatusMachine>& machines() {
  static const std::vector<StatusMachine> rows = {
      {"ServiceRequest", {{"draft"}, {"active", "on-hold"}, {"revoked", "completed"}}},
      {"Task",
       {{"draft"},
        {"requested"},
        {"received"},
        {"accepted", "ready"},
        {"in-progress", "on-hold"},
        {"completed", "failed", "cancelled", "rejected"}}},
      {"MedicationRequest",
       {{"draft"}, {"active", "on-hold"}, {"stopped", "cancelled", "completed"}}},
      {"Appointment",
       {{"proposed", "waitlist"},
        {"pending"},
        {"booked"},
        {"arrived", "checked-in"},
        {"fulfilled", "cancelled", "noshow"}}},
      {"Procedure",
       {{"preparation"}, {"in-progress", "on-hold"}, {"completed", "stopped", "not-done"}}},
      {"Encounter",
       {{"planned"},
        {"arrived", "triaged"},
        {"in-progress", "onleave"},
        {"finished", "cancelled"}}},
      {"Immunization", {{"completed", "not-done"}}},
  };
  return rows;
}

const StatusMachine* machine_of(std::string_view type) {
  const auto found = std::ranges::find(machines(), type, &StatusMachine::type);
  return found == machines().end() ? nullptr : &*found;
}

std::optional<std::size_t> step_of(const StatusMachine& machine, std::string_view status) {
  for (std::size_t step = 0; step < machine.steps.size(); ++step) {
    if (std::ranges::find(machine.steps[step], status) != machine.steps[step].end()) return step;
  }
  return std::nullopt;
}

}  // namespace

std::span<const StatusMachine> status_machines() { return machines(); }

bool is_end_state(std::string_view type, std::string_view status) {
  const StatusMachine* machine = machine_of(type);
  return machine && step_of(*machine, status) == machine->steps.size() - 1;
}

bool is_later_status(std::string_view type, std::string_view status, std::string_view than) {
  const StatusMachine* machine = machine_of(type);
  if (!machine) return false;
  const auto step = step_of(*machine, status);
  const auto other = step_of(*machine, than);
  return step && other && *step > *other;
}

}  // namespace gateway::sync
