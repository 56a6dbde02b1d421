#include "sync/conflict_policy.h"

#include <algorithm>
#include <optional>

#include "core/text.h"

namespace gateway::sync {
namespace {

const std::vector<ElementGroup>& table() {
  using enum Rule;
  const Safety clinical_safety{
      "clinicalStatus",
      {{"active", "recurrence", "relapse"}, {""}, {"remission"}, {"inactive", "resolved"}}};
  // A late preliminary never demotes a final.
  const Safety result_safety{"status",
                             {{"final", "amended", "corrected", "appended"},
                              {"cancelled"},
                              {"preliminary", "partial"},
                              {""}}};
  static const std::vector<ElementGroup> rows = {
      {"Patient",
       "identity",
       {"identifier", "active", "name", "gender", "birthDate", "deceased[x]", "multipleBirth[x]",
        "link"},
       his},
      {"Patient", "telecom", {"telecom"}, union_by_key, {"system", "use", "rank"}, {ask, clinic}},
      {"Patient", "address", {"address"}, union_by_key, {"use", "type"}, {ask, clinic}},
      {"Patient",
       "contact persons",
       {"contact"},
       union_by_key,
       {"relationship", "name"},
       {ask, clinic}},
      {"Patient", "languages", {"communication"}, union_by_key, {"language"}, {ask, clinic}},

      // Losing an allergy can kill; keeping one too many costs a question.
      {"AllergyIntolerance",
       "status",
       {"verificationStatus", "clinicalStatus"},
       safer,
       {},
       {},
       {{"verificationStatus", {{"confirmed"}, {"presumed"}, {"unconfirmed"}, {""}, {"refuted"}}},
        clinical_safety}},
      {"AllergyIntolerance", "reactions", {"reaction"}, union_by_key, {}, {ask}},
      {"Condition",
       "status",
       {"verificationStatus", "clinicalStatus", "abatement[x]"},
       safer,
       {},
       {},
       {{"verificationStatus",
         {{"confirmed"}, {"differential"}, {"provisional"}, {"unconfirmed"}, {""}, {"refuted"}}},
        clinical_safety,
        {"abatement[x]", {{""}, {"*"}}}}},
      {"Condition", "evidence", {"evidence"}, union_by_key, {}, {ask}},

      // A stop that waits for a decision is a dose given.
      {"MedicationRequest",
       "status",
       {"status", "statusReason"},
       safer,
       {},
       {},
       {{"status",
         {{"stopped", "cancelled"}, {"on-hold"}, {"completed"}, {"active"}, {""}, {"draft"}}}},
       {"stopped", "cancelled"}},
      {"MedicationRequest",
       "prescription",
       {"subject", "medication[x]", "dosageInstruction", "dispenseRequest", "substitution",
        "doNotPerform", "reported[x]", "intent", "contained"},
       ask},

      {"Observation",
       "result",
       {"status", "subject", "value[x]", "dataAbsentReason", "code", "component", "interpretation",
        "referenceRange", "effective[x]", "issued", "method", "bodySite", "specimen", "device",
        "contained"},
       safer,
       {},
       {},
       {result_safety}},
      {"DiagnosticReport",
       "report",
       {"status", "subject", "code", "result", "conclusion", "conclusionCode", "presentedForm",
        "effective[x]", "issued", "media", "contained"},
       safer,
       {},
       {},
       {result_safety}},

      {"ServiceRequest", "status", {"status"}, producer, {}, {ask}},
      {"ServiceRequest",
       "order",
       {"subject", "intent", "code", "orderDetail", "quantity[x]", "occurrence[x]", "asNeeded[x]",
        "bodySite", "priority", "doNotPerform", "contained"},
       ask,
       {},
       {producer}},
      {"Task",
       "progress",
       {"status", "statusReason", "businessStatus", "output", "executionPeriod", "owner"},
       filler,
       {},
       {ask, clinic}},

      {"Appointment",
       "booking",
       {"status", "start", "end", "slot", "minutesDuration", "participant", "cancelationReason",
        "contained"},
       ask,
       {},
       {clinic}},
      {"DocumentReference", "relations", {"relatesTo"}, union_by_key, {}, {ask}},

      {"*", "status", {"status"}, safer},
      {"*", "identifiers", {"identifier"}, union_by_key, {"system", "value"}, {ask}},
      {"*", "notes", {"note"}, union_by_key, {}, {ask}},
      {"*", "security labels", {"meta.security"}, union_by_key, {"system", "code"}, {ask}},
      {"*", "tags", {"meta.tag"}, union_by_key, {"system", "code"}, {ask}},
      {"*", "profiles", {"meta.profile"}, union_by_key, {}, {ask}},
      {"*", "narrative", {"text"}, ask},
  };
  return rows;
}

std::optional<Rule> rule_named(std::string_view name) {
  for (const Rule rule : {Rule::his, Rule::producer, Rule::filler, Rule::clinic, Rule::union_by_key,
                          Rule::safer, Rule::ask}) {
    if (to_string(rule) == name) return rule;
  }
  return std::nullopt;
}

std::string choices_of(const ElementGroup& row) {
  std::string choices(to_string(row.rule));
  for (const Rule rule : row.site_may) choices += core::cat(", ", to_string(rule));
  return choices;
}

core::Error no_such_row(const SiteRule& chosen) {
  std::string groups;
  for (const ElementGroup& row : table()) {
    if (row.type == chosen.type) groups += core::cat(groups.empty() ? "" : ", ", row.name);
  }
  return {core::Code::invalid,
          groups.empty()
              ? core::cat("the policy has no rows for ", chosen.type, "; see docs/sync.md")
              : core::cat("the policy has no group \"", chosen.group, "\" of ", chosen.type,
                          "; its groups are: ", groups)};
}

}  // namespace

std::string_view to_string(Rule rule) {
  switch (rule) {
    case Rule::his:
      return "his";
    case Rule::producer:
      return "producer";
    case Rule::filler:
      return "filler";
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

bool names_element(std::string_view pattern, std::string_view element) {
  if (!pattern.ends_with("[x]")) return pattern == element;
  const std::string_view stem = pattern.substr(0, pattern.size() - 3);
  return element.size() > stem.size() && element.starts_with(stem) && element[stem.size()] >= 'A' &&
         element[stem.size()] <= 'Z';
}

MergePolicy::MergePolicy() : rows_(table()), version_(kPolicyVersion) {}

core::Result<MergePolicy> MergePolicy::for_site(const std::vector<SiteRule>& chosen) {
  MergePolicy policy;
  for (const SiteRule& choice : chosen) {
    const auto row = std::ranges::find_if(policy.rows_, [&](const ElementGroup& candidate) {
      return candidate.type == choice.type && candidate.name == choice.group;
    });
    if (row == policy.rows_.end()) return no_such_row(choice);
    const auto rule = rule_named(choice.rule);
    if (rule == row->rule) continue;
    if (!rule || std::ranges::find(row->site_may, *rule) == row->site_may.end()) {
      return core::Error(core::Code::invalid,
                         core::cat("\"", choice.rule, "\" is not for ", choice.type, "/",
                                   choice.group, "; it may be: ", choices_of(*row)));
    }
    row->rule = *rule;
    policy.version_ += core::cat(' ', choice.type, '/', choice.group, '=', to_string(*rule));
  }
  return policy;
}

const ElementGroup* MergePolicy::group_of(std::string_view type, std::string_view element) const {
  const auto holds = [&](const ElementGroup& row, std::string_view row_type) {
    return row.type == row_type && std::ranges::any_of(row.elements, [&](std::string_view pattern) {
             return names_element(pattern, element);
           });
  };
  for (const std::string_view wanted : {type, std::string_view("*")}) {
    for (const ElementGroup& row : rows_) {
      if (holds(row, wanted)) return &row;
    }
  }
  return nullptr;
}

const MergePolicy& usual_policy() {
  static const MergePolicy policy;
  return policy;
}

bool hospital_keeps_some_of(std::string_view type) {
  return std::ranges::any_of(
      table(), [&](const ElementGroup& row) { return row.type == type && row.rule == Rule::his; });
}

}  // namespace gateway::sync
