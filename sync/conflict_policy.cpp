#include "sync/conflict_policy.h"

#include <algorithm>
#include <array>

namespace gateway::sync {
namespace {

/// "value[x]" names valueQuantity, valueString and so on.
bool names(std::string_view pattern, std::string_view element) {
  if (!pattern.ends_with("[x]")) return pattern == element;
  const std::string_view stem = pattern.substr(0, pattern.size() - 3);
  return element.size() > stem.size() && element.starts_with(stem) && element[stem.size()] >= 'A' &&
         element[stem.size()] <= 'Z';
}

const std::vector<ElementGroup>& table() {
  using enum Rule;
  static const std::vector<ElementGroup> rows = {
      {"Patient",
       "identity",
       {"identifier", "active", "name", "gender", "birthDate", "deceased[x]", "multipleBirth[x]",
        "link"},
       his},
      {"Patient", "telecom", {"telecom"}, union_by_key, {"system", "use", "rank"}},
      {"Patient", "address", {"address"}, union_by_key, {"use", "type"}},
      {"Patient", "contact persons", {"contact"}, union_by_key, {"relationship", "name"}},
      {"Patient", "languages", {"communication"}, union_by_key, {"language"}},

      // Losing an allergy can kill; keeping one too many costs a question.
      {"AllergyIntolerance",
       "status",
       {"verificationStatus", "clinicalStatus"},
       safer,
       {},
       {"entered-in-error", "confirmed", "presumed", "unconfirmed", "refuted"}},
      {"AllergyIntolerance", "reactions", {"reaction"}, union_by_key},
      {"Condition",
       "status",
       {"verificationStatus", "clinicalStatus", "abatement[x]"},
       safer,
       {},
       {"entered-in-error", "confirmed", "differential", "provisional", "unconfirmed", "refuted"}},
      {"Condition", "evidence", {"evidence"}, union_by_key},

      // A stop that waits for a decision is a dose given.
      {"MedicationRequest",
       "status",
       {"status", "statusReason"},
       safer,
       {},
       {"entered-in-error", "stopped", "cancelled", "on-hold", "completed", "active", "unknown",
        "draft"}},
      {"MedicationRequest",
       "prescription",
       {"medication[x]", "dosageInstruction", "dispenseRequest", "substitution", "doNotPerform",
        "reported[x]", "intent"},
       ask},

      {"Observation",
       "result",
       {"status", "value[x]", "dataAbsentReason", "code", "component", "interpretation",
        "referenceRange", "effective[x]", "issued", "method", "bodySite", "specimen", "device"},
       safer,
       {},
       {"entered-in-error"}},
      {"DiagnosticReport",
       "report",
       {"status", "code", "result", "conclusion", "conclusionCode", "presentedForm", "effective[x]",
        "issued", "media"},
       safer,
       {},
       {"entered-in-error"}},

      {"ServiceRequest",
       "status",
       {"status"},
       producer,
       {},
       {"entered-in-error", "revoked", "completed", "on-hold", "active", "draft", "unknown"}},
      {"ServiceRequest",
       "order",
       {"intent", "code", "orderDetail", "quantity[x]", "occurrence[x]", "asNeeded[x]", "bodySite",
        "priority", "doNotPerform"},
       ask},
      {"Task",
       "progress",
       {"status", "statusReason", "businessStatus", "output", "executionPeriod", "owner"},
       clinic,
       {},
       {"entered-in-error", "completed", "failed", "cancelled", "rejected", "in-progress",
        "on-hold", "ready", "accepted", "received", "requested", "draft"}},

      {"Appointment",
       "booking",
       {"status", "start", "end", "slot", "minutesDuration", "participant", "cancelationReason"},
       ask},
      {"DocumentReference", "relations", {"relatesTo"}, union_by_key},

      {"*", "status", {"status"}, safer, {}, {"entered-in-error"}},
      {"*", "identifiers", {"identifier"}, union_by_key, {"system", "value"}},
      {"*", "notes", {"note"}, union_by_key},
  };
  return rows;
}

struct Terminal {
  std::string_view type;
  std::array<std::string_view, 4> states;
};
constexpr std::array<Terminal, 6> kTerminal = {{
    {"ServiceRequest", {"revoked", "completed"}},
    {"Task", {"completed", "failed", "cancelled", "rejected"}},
    {"MedicationRequest", {"stopped", "cancelled", "completed"}},
    {"Appointment", {"fulfilled", "cancelled", "noshow"}},
    {"Procedure", {"completed", "stopped", "not-done"}},
    {"Encounter", {"finished", "cancelled"}},
}};

}  // namespace

std::string_view to_string(Rule rule) {
  switch (rule) {
    case Rule::his:
      return "his";
    case Rule::producer:
      return "producer";
    case Rule::clinic:
      return "clinic";
    case Rule::union_by_key:
      return "union";
    case Rule::safer:
      return "safer";
    case Rule::ask:
      return "ask";
  }
  return "";
}

std::span<const ElementGroup> policy_table() { return table(); }

const ElementGroup* group_of(std::string_view type, std::string_view element) {
  const auto holds = [&](const ElementGroup& row, std::string_view row_type) {
    return row.type == row_type && std::ranges::any_of(row.elements, [&](std::string_view pattern) {
             return names(pattern, element);
           });
  };
  for (const std::string_view wanted : {type, std::string_view("*")}) {
    for (const ElementGroup& row : table()) {
      if (holds(row, wanted)) return &row;
    }
  }
  return nullptr;
}

bool hospital_keeps_some_of(std::string_view type) {
  return std::ranges::any_of(
      table(), [&](const ElementGroup& row) { return row.type == type && row.rule == Rule::his; });
}

bool is_terminal(std::string_view type, std::string_view status) {
  if (status.empty()) return false;
  return std::ranges::any_of(kTerminal, [&](const Terminal& row) {
    return row.type == type && std::ranges::find(row.states, status) != row.states.end();
  });
}

}  // namespace gateway::sync
