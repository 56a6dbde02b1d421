#include "sync/conflict.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "core/text.h"
#include "sync/array_union.h"
#include "sync/element_groups.h"
#include "sync/fhir/resource_rules.h"
#include "sync/fhir/same_content.h"
#include "sync/safety.h"
#include "sync/status_machine.h"

namespace gateway::sync {
namespace {

using core::Json;

/// Of a type whose row does not name it: a group of its own.
constexpr std::string_view kContained = "contained";

/// CLINICAL.md: two edits of the same one ask, whatever of it each of them is.
bool is_result(std::string_view type) {
  return type == "Observation" || type == "DiagnosticReport";
}

std::string_view status_of(const Json& elements) { return elements["status"].text(); }

GroupDecision begin_decision(const Group& group, const Versions& versions) {
  GroupDecision decision;
  decision.group = group.name;
  decision.rule = group.rule();
  decision.base = part(versions.base, group);
  decision.ours = part(versions.ours, group);
  decision.theirs = part(versions.theirs, group);
  return decision;
}

const Json& side(const GroupDecision& decision, Choice choice) {
  return choice == Choice::ours ? decision.ours : decision.theirs;
}

Choice other(Choice choice) { return choice == Choice::ours ? Choice::theirs : Choice::ours; }

void show(GroupDecision& decision, Choice choice) {
  decision.shown = choice;
  if (choice != Choice::merged) decision.merged = side(decision, choice);
}

void ask(GroupDecision& decision, Choice shown, std::string reason) {
  decision.asked = true;
  decision.reason = std::move(reason);
  show(decision, shown);
}

/// Out of an end state, of a retraction, or from a final result to a preliminary one.
bool leaves_end(std::string_view type, const Json& from, const Json& to) {
  if (is_retracted(to)) return false;
  if (is_retracted(from) || !check_transition(type, from, to).ok()) return true;
  return is_end_state(type, status_of(from)) && status_of(to) != status_of(from);
}

/// The status for a person: of a condition or an allergy, its verification.
std::string_view ended_as(const Json& elements) {
  const std::string_view status = status_of(elements);
  return status.empty() ? code_of(elements["verificationStatus"]) : status;
}

std::string left_end(const Json& from, const Json& to) {
  return core::cat("it was ", ended_as(from), " and is to be ", ended_as(to), " again");
}

/// A group of which the two sides differ.
struct Compared {
  std::string_view type;
  const Group& group;
  const Versions& versions;              // as elements
  bool other_changed_something = false;  // whoever did not change this group
};

/// One side only changed the group. Nothing: the change is taken.
std::optional<GroupDecision> decide_single(const Compared& compared, Choice changer) {
  const Group& group = compared.group;
  GroupDecision decision = begin_decision(group, compared.versions);
  const Json& changed = side(decision, changer);
  if (group.rule() == Rule::his && changer == Choice::ours && !compared.versions.ours_is_decided) {
    ask(decision, Choice::theirs, "the clinic proposes a change of what the hospital keeps");
    return decision;
  }
  if (acts_at_once(group.row, decision.base, changed)) {
    if (!compared.other_changed_something) return std::nullopt;
    ask(decision, changer,
        core::cat("one side made it ", ended_as(changed), " while the other changed it; the ",
                  is_retracted(changed) ? "retraction" : "stop", " acts meanwhile"));
    return decision;
  }
  if (leaves_end(compared.type, decision.base, changed)) {
    ask(decision, other(changer), left_end(decision.base, changed));
    return decision;
  }
  if (group.rule() == Rule::safer && takes_back(*group.row, decision.base, changed)) {
    ask(decision, other(changer), "one side takes back what the other may rely on");
    return decision;
  }
  if (group.name == kContained && compared.other_changed_something) {
    // Whoever changed it has what refers to it, too: the other's would leave that in the air.
    ask(decision, changer,
        "one side changed what is contained in it, the other something that may refer to that");
    return decision;
  }
  return std::nullopt;
}

void decide_union(const Group& group, GroupDecision& decision) {
  Json merged = decision.theirs;
  std::string reason;
  for (const std::string& member : group.members) {
    const UnionSides sides{decision.base[std::string_view(member)],
                           decision.ours[std::string_view(member)],
                           decision.theirs[std::string_view(member)]};
    const auto is_odd = [](const Json& items) { return !items.is_null() && !items.is_array(); };
    // The extensions of an array of primitives go by the index.
    if (is_odd(sides.ours) || is_odd(sides.theirs) || group.members.size() > 1)
      return ask(decision, Choice::theirs, "both sides changed it");
    ArrayUnion united = unite(sides, group.row->key);
    if (united.items.size() > 0) {
      merged.set(member, std::move(united.items));
    } else {
      merged.erase(member);
    }
    reason = std::move(united.disputed);
  }
  decision.shown = Choice::merged;
  decision.merged = std::move(merged);
  decision.asked = !reason.empty();
  decision.reason = std::move(reason);
}

void decide_safer(const Compared& compared, GroupDecision& decision) {
  const ElementGroup& row = *compared.group.row;
  Choice shown = Choice::theirs;
  std::string reason = "both sides changed it; the safer acts meanwhile";
  if (is_safer(row, decision.ours, decision.theirs)) {
    shown = Choice::ours;
  } else if (!is_safer(row, decision.theirs, decision.ours)) {
    reason = "both sides changed it";
    // None is the safer: what has come to an end is not begun anew by the other side.
    if (is_end_state(compared.type, status_of(decision.ours)) &&
        !is_end_state(compared.type, status_of(decision.theirs)))
      shown = Choice::ours;
  }
  ask(decision, shown, std::move(reason));
}

/// The side whose affair it is, as far as the other has not brought the status further.
void decide_for(Choice winner, const Compared& compared, GroupDecision& decision) {
  const std::string_view won = status_of(side(decision, winner));
  const std::string_view lost = status_of(side(decision, other(winner)));
  const std::string_view type = compared.type;
  if (is_later_status(type, lost, won)) {
    ask(decision, other(winner),
        core::cat("the one whose affair it is made it ", won, ", the other side ", lost,
                  " already"));
  } else if (is_end_state(type, lost) && lost != won) {
    ask(decision, winner, core::cat("it ended in two ways, as ", won, " and as ", lost));
  } else if (leaves_end(type, decision.base, side(decision, winner))) {
    ask(decision, winner, left_end(decision.base, side(decision, winner)));
  } else {
    decision.reason = winner == Choice::ours ? "the clinic's counts" : "the hospital's counts";
    show(decision, winner);
  }
}

/// Both sides changed the group, and not to the same.
GroupDecision decide_both(const Compared& compared) {
  const Group& group = compared.group;
  GroupDecision decision = begin_decision(group, compared.versions);
  if (is_retracted(decision.ours) != is_retracted(decision.theirs)) {
    ask(decision, is_retracted(decision.ours) ? Choice::ours : Choice::theirs,
        "one side retracted it, the other changed it");
    return decision;
  }
  const auto ours_if = [](bool is_ours) { return is_ours ? Choice::ours : Choice::theirs; };
  switch (group.rule()) {
    case Rule::his:
      ask(decision, Choice::theirs, "both sides changed it; the hospital's counts until decided");
      break;
    case Rule::producer:
      decide_for(ours_if(compared.versions.ours_is_producer), compared, decision);
      break;
    case Rule::filler:
      decide_for(ours_if(compared.versions.ours_is_filler), compared, decision);
      break;
    case Rule::clinic:
      decide_for(Choice::ours, compared, decision);
      break;
    case Rule::union_by_key:
      decide_union(group, decision);
      break;
    case Rule::safer:
      decide_safer(compared, decision);
      break;
    case Rule::ask:
      ask(decision, Choice::theirs, "both sides changed it");
      break;
  }
  return decision;
}

/// One side deleted the resource.
Merge merge_deleted(const Versions& versions) {
  const bool ours_deleted = versions.ours.is_null();
  const Json& left = ours_deleted ? versions.theirs : versions.ours;
  Merge merged;
  if (left.is_null() || same_content(left, versions.base)) return merged;
  GroupDecision decision;
  decision.group = "existence";
  decision.ours = versions.ours;
  decision.theirs = versions.theirs;
  decision.base = versions.base;
  ask(decision, ours_deleted ? Choice::theirs : Choice::ours,
      ours_deleted ? "the clinic deleted it, the hospital changed it"
                   : "the hospital deleted it, the clinic changed it");
  merged.shown = left;
  merged.decisions.push_back(std::move(decision));
  return merged;
}

/// Who changed a group since the agreed version.
struct Changes {
  bool ours = false;
  bool theirs = false;
  bool differ = false;  // the two sides, from each other
};

Changes changes_of(const Group& group, const Versions& versions) {
  const Json base = part(versions.base, group);
  const Json ours = part(versions.ours, group);
  const Json theirs = part(versions.theirs, group);
  return {!same_value(ours, base), !same_value(theirs, base), !same_value(ours, theirs)};
}

/// The same of the whole resource, but for what meta says: of all groups, and of those that differ.
struct AllChanges {
  Changes any;
  Changes apart;
};

AllChanges all_changes(const std::vector<Group>& groups, const std::vector<Changes>& changes) {
  AllChanges all;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].is_of_meta()) continue;
    all.any.ours = all.any.ours || changes[i].ours;
    all.any.theirs = all.any.theirs || changes[i].theirs;
    if (!changes[i].differ) continue;
    all.apart.ours = all.apart.ours || changes[i].ours;
    all.apart.theirs = all.apart.theirs || changes[i].theirs;
  }
  return all;
}

/// What the rows decide by themselves is shown, and a person is asked all the same.
void ask_too(const Compared& compared, Choice changer, std::optional<GroupDecision>& decision) {
  constexpr std::string_view kReason = "each side changed something of this result";
  if (!decision) {
    decision = begin_decision(compared.group, compared.versions);
    ask(*decision, changer, std::string(kReason));
  } else if (!decision->asked) {
    decision->asked = true;
    decision->reason = kReason;
  }
}

Merge merge_elements(const Versions& versions, const MergePolicy& policy) {
  const std::string type(versions.theirs["resourceType"].text());
  const auto groups = groups_of(type, policy, {&versions.theirs, &versions.ours, &versions.base});
  std::vector<Changes> changes;
  for (const Group& group : groups) changes.push_back(changes_of(group, versions));
  const auto [any, apart] = all_changes(groups, changes);
  const bool asks_about_all = is_result(type) && apart.ours && apart.theirs;
  Merge merged;
  merged.shown = versions.theirs;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const Group& group = groups[i];
    if (!changes[i].differ) continue;
    const Choice changer = changes[i].ours ? Choice::ours : Choice::theirs;
    const Compared compared{type, group, versions, changer == Choice::ours ? any.theirs : any.ours};
    std::optional<GroupDecision> decision = changes[i].ours && changes[i].theirs
                                                ? decide_both(compared)
                                                : decide_single(compared, changer);
    if (asks_about_all && !group.is_of_meta()) ask_too(compared, changer, decision);
    if (decision) {
      merged.shown = with_part(merged.shown, group.members, decision->merged);
      merged.decisions.push_back(std::move(*decision));
    } else if (changer == Choice::ours) {
      merged.shown = with_part(merged.shown, group.members, part(versions.ours, group));
    }
  }
  return merged;
}

}  // namespace

std::string_view to_string(Choice choice) {
  switch (choice) {
    case Choice::ours:
      return "ours";
    case Choice::theirs:
      return "theirs";
    case Choice::merged:
      return "merged";
  }
  return "";
}

bool Merge::asks() const {
  return std::ranges::any_of(decisions, [](const GroupDecision& d) { return d.asked; });
}

Merge merge(const Versions& versions, const MergePolicy& policy) {
  Merge merged;
  if (versions.ours.is_null() || versions.theirs.is_null()) {
    merged = merge_deleted(versions);
  } else {
    Versions elements = versions;
    for (Json* version : {&elements.base, &elements.ours, &elements.theirs})
      *version = as_elements(*version);
    merged = merge_elements(elements, policy);
    merged.shown = as_resource(merged.shown);
    if (same_content(merged.shown, versions.theirs)) {
      merged.shown = versions.theirs;
    } else if (same_content(merged.shown, versions.ours)) {
      merged.shown = versions.ours;
    }
  }
  merged.policy = policy.version();
  return merged;
}

bool changes_what_hospital_keeps(const Json& from, const Json& to) {
  const auto groups = groups_of(to["resourceType"].text(), usual_policy(), {&to, &from});
  return std::ranges::any_of(groups, [&](const Group& g) {
    return g.rule() == Rule::his && !same_value(part(from, g), part(to, g));
  });
}

Json with_choice(const Json& resource, const GroupDecision& decision, Choice choice) {
  const Json& wanted = choice == Choice::ours     ? decision.ours
                       : choice == Choice::theirs ? decision.theirs
                                                  : decision.merged;
  if (decision.group == "existence") return wanted;
  std::set<std::string> members;
  for (const Json* part : {&decision.base, &decision.ours, &decision.theirs, &decision.merged}) {
    for (const auto& [member, value] : part->members()) members.insert(member);
  }
  if (members.empty()) return resource;
  return as_resource(with_part(as_elements(resource), members, wanted));
}

}  // namespace gateway::sync
