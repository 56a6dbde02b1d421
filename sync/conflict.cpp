#include "sync/conflict.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/text.h"
#include "sync/array_union.h"
#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::Json;

constexpr std::string_view kRetracted = "entered-in-error";

/// The hospital's to say; of the two sides' meta and narrative nothing is to be decided.
constexpr std::array<std::string_view, 4> kNotMerged = {"resourceType", "id", "meta", "text"};

bool is_merged(std::string_view member) {
  return std::ranges::find(kNotMerged, member) == kNotMerged.end();
}

/// A primitive's extensions ("_birthDate") belong to its element.
std::string_view element_of(std::string_view member) {
  return member.starts_with('_') ? member.substr(1) : member;
}

/// A group as it occurs in these three versions.
struct Group {
  std::string name;
  const ElementGroup* row = nullptr;
  std::set<std::string> members;  // with the underscored ones
  Rule rule() const { return row ? row->rule : Rule::ask; }
};

std::vector<Group> groups_of(std::string_view type, const Versions& versions) {
  std::vector<Group> groups;
  std::map<std::string, std::size_t, std::less<>> by_name;
  for (const Json* version : {&versions.theirs, &versions.ours, &versions.base}) {
    for (const auto& [member, value] : version->members()) {
      if (!is_merged(member)) continue;
      const std::string_view element = element_of(member);
      const ElementGroup* row = group_of(type, element);
      std::string name(row ? row->name : element);
      const auto [at, fresh] = by_name.emplace(name, groups.size());
      if (fresh) groups.push_back({std::move(name), row, {}});
      groups[at->second].members.insert(member);
    }
  }
  return groups;
}

Json part(const Json& resource, const Group& group) {
  Json elements = Json::object();
  for (const auto& [member, value] : resource.members()) {
    if (group.members.contains(member)) elements.append_member(member, value);
  }
  return elements;
}

/// `resource` with the group's elements replaced. They keep their place where they have one.
Json with_part(const Json& resource, const std::set<std::string>& members, const Json& elements) {
  Json replaced = Json::object();
  std::set<std::string_view> placed;
  for (const auto& [member, value] : resource.members()) {
    if (!members.contains(member)) {
      replaced.append_member(member, value);
    } else if (const Json& now = elements[std::string_view(member)]; !now.is_null()) {
      replaced.append_member(member, now);
      placed.insert(member);
    }
  }
  for (const auto& [member, value] : elements.members()) {
    if (!placed.contains(member)) replaced.append_member(member, value);
  }
  return replaced;
}

std::string_view code_of(const Json& element) {
  return element.is_string() ? element.text() : element["coding"][0]["code"].text();
}

std::string_view status_of(const Json& elements) { return elements["status"].text(); }

bool is_retracted(const Json& elements) {
  return std::ranges::any_of(elements.members(),
                             [](const Json::Member& m) { return code_of(m.second) == kRetracted; });
}

/// 0 is the safest. Of several codes in the group the least safe counts, but a retraction says
/// there is nothing to be safe about.
std::size_t risk(const ElementGroup& row, const Json& elements) {
  if (is_retracted(elements)) return 0;
  std::size_t worst = 0;
  bool known = false;
  for (const auto& [member, value] : elements.members()) {
    const auto at = std::ranges::find(row.order, code_of(value));
    if (at == row.order.end()) continue;
    worst = std::max(worst, static_cast<std::size_t>(at - row.order.begin()));
    known = true;
  }
  return known ? worst : row.order.size();
}

GroupDecision begin_decision(const Group& group, const Versions& versions) {
  GroupDecision decision;
  decision.group = group.name;
  decision.rule = group.rule();
  decision.base = part(versions.base, group);
  decision.ours = part(versions.ours, group);
  decision.theirs = part(versions.theirs, group);
  return decision;
}

void show(GroupDecision& decision, Choice choice) {
  decision.shown = choice;
  if (choice != Choice::merged)
    decision.merged = choice == Choice::ours ? decision.ours : decision.theirs;
}

void ask(GroupDecision& decision, Choice shown, std::string reason) {
  decision.asked = true;
  decision.reason = std::move(reason);
  show(decision, shown);
}

/// One side only changed the group. Nothing: the change is taken.
std::optional<GroupDecision> decide_single(std::string_view type, const Group& group,
                                           const Versions& versions, GroupDecision decision,
                                           bool by_ours) {
  const Json& changed = by_ours ? decision.ours : decision.theirs;
  const Choice unchanged = by_ours ? Choice::theirs : Choice::ours;
  if (group.rule() == Rule::his && by_ours && !versions.ours_is_decided) {
    ask(decision, Choice::theirs, "the clinic proposes a change of what the hospital keeps");
    return decision;
  }
  if (is_retracted(changed)) return std::nullopt;
  if (is_terminal(type, status_of(decision.base)) && !is_terminal(type, status_of(changed))) {
    ask(decision, unchanged,
        core::cat("it was ", status_of(decision.base), " and is to be ", status_of(changed),
                  " again"));
    return decision;
  }
  if (group.rule() == Rule::safer && risk(*group.row, changed) > risk(*group.row, decision.base)) {
    ask(decision, unchanged, "one side takes back what the other may rely on");
    return decision;
  }
  return std::nullopt;
}

void decide_union(const Group& group, const Versions& versions, GroupDecision& decision) {
  Json merged = decision.theirs;
  std::string reason;
  for (const std::string& member : group.members) {
    UnionSides sides{decision.base[std::string_view(member)],
                     decision.ours[std::string_view(member)],
                     decision.theirs[std::string_view(member)]};
    sides.prefer_ours = versions.ours_by_person && !versions.theirs_by_person;
    sides.prefer_theirs = versions.theirs_by_person && !versions.ours_by_person;
    ArrayUnion united = unite(sides, group.row->key);
    if (united.items.size() > 0) {
      merged.set(member, std::move(united.items));
    } else {
      merged.erase(member);
    }
    if (!united.disputed.empty()) reason = std::move(united.disputed);
  }
  decision.shown = Choice::merged;
  decision.merged = std::move(merged);
  decision.asked = !reason.empty();
  decision.reason = std::move(reason);
}

void decide_safer(const Group& group, GroupDecision& decision) {
  const std::size_t ours = risk(*group.row, decision.ours);
  const std::size_t theirs = risk(*group.row, decision.theirs);
  ask(decision, ours < theirs ? Choice::ours : Choice::theirs,
      ours == theirs ? "both sides changed it" : "both sides changed it; the safer acts meanwhile");
}

/// Both sides changed the group, and not to the same.
GroupDecision decide_both(std::string_view type, const Group& group, const Versions& versions,
                          GroupDecision decision) {
  const auto take = [&](Choice winner) {
    const Json& won = winner == Choice::ours ? decision.ours : decision.theirs;
    const Json& lost = winner == Choice::ours ? decision.theirs : decision.ours;
    if (is_retracted(lost)) {
      ask(decision, winner == Choice::ours ? Choice::theirs : Choice::ours,
          "one side retracted it, the other changed it");
    } else if (is_terminal(type, status_of(decision.base)) && !is_retracted(won) &&
               !is_terminal(type, status_of(won))) {
      ask(decision, Choice::theirs, "its status would leave an end state");
    } else {
      decision.reason = winner == Choice::ours ? "the clinic's counts" : "the hospital's counts";
      show(decision, winner);
    }
  };
  switch (group.rule()) {
    case Rule::his:
      ask(decision, Choice::theirs, "both sides changed it; the hospital's counts until decided");
      break;
    case Rule::producer:
      take(versions.ours_is_producer ? Choice::ours : Choice::theirs);
      break;
    case Rule::clinic:
      take(Choice::ours);
      break;
    case Rule::union_by_key:
      decide_union(group, versions, decision);
      break;
    case Rule::safer:
      decide_safer(group, decision);
      break;
    case Rule::ask:
      ask(decision, Choice::theirs, "both sides changed it");
      break;
  }
  return decision;
}

/// Base of the result: everything that is not merged comes from the hospital's version.
Json frame(const Versions& versions) {
  Json framed = versions.theirs;
  // A generated narrative speaks of one side's text only.
  if (framed["text"]["status"].text() != "additional") framed.erase("text");
  return framed;
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

Merge merge(const Versions& versions) {
  if (versions.ours.is_null() || versions.theirs.is_null()) return merge_deleted(versions);
  const std::string type(versions.theirs["resourceType"].text());
  Merge merged;
  merged.shown = frame(versions);
  for (const Group& group : groups_of(type, versions)) {
    GroupDecision decision = begin_decision(group, versions);
    if (same_value(decision.ours, decision.theirs)) continue;
    const bool ours_changed = !same_value(decision.ours, decision.base);
    const bool theirs_changed = !same_value(decision.theirs, decision.base);
    if (ours_changed && theirs_changed) {
      decision = decide_both(type, group, versions, std::move(decision));
    } else if (auto special = decide_single(type, group, versions, decision, ours_changed)) {
      decision = std::move(*special);
    } else {
      if (ours_changed) merged.shown = with_part(merged.shown, group.members, decision.ours);
      continue;
    }
    merged.shown = with_part(merged.shown, group.members, decision.merged);
    merged.decisions.push_back(std::move(decision));
  }
  if (same_content(merged.shown, versions.theirs)) {
    merged.shown = versions.theirs;
  } else if (same_content(merged.shown, versions.ours)) {
    merged.shown = versions.ours;
  }
  return merged;
}

bool changes_what_hospital_keeps(const Json& from, const Json& to) {
  Versions versions;
  versions.base = from;
  versions.ours = to;
  return std::ranges::any_of(groups_of(to["resourceType"].text(), versions), [&](const Group& g) {
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
  return members.empty() ? resource : with_part(resource, members, wanted);
}

}  // namespace gateway::sync
