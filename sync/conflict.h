// What becomes of a resource that clinic and hospital both changed: a three-way merge by groups of
// elements that belong together, under the policy table. Pure: no clock, no database. Nothing is
// ever dropped: every value that did not win is in a decision, from where a person can take it
// back.
//
// The result is one text for both sides: what is shown at the clinic is what is sent to the
// hospital. What a person has yet to decide stays as the hospital has it, or, where the table says
// so, as the safer of the two, which then acts on both sides at once (CLINICAL.md, docs/sync.md).
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "sync/conflict_policy.h"

namespace gateway::sync {

/// The three versions, all of one type and id. Null: `base`, nothing was ever agreed on; `ours` or
/// `theirs`, deleted there.
struct Versions {
  core::Json base;
  core::Json ours;
  core::Json theirs;
  bool ours_is_producer = false;  // the clinic made the resource
  bool ours_is_filler = false;    // the clinic carries it out
  bool ours_is_decided = false;   // of what the hospital keeps, a person has decided for `ours`
};

enum class Choice { ours, theirs, merged };
std::string_view to_string(Choice choice);

/// One group that needed a decision. The four values are objects of the group's elements; what meta
/// says stands there with "meta." before it (sync/element_groups.h).
struct GroupDecision {
  std::string group;  // "identity", or an element's name
  Rule rule = Rule::ask;
  Choice shown = Choice::theirs;
  bool asked = false;  // a person has the last word
  std::string reason;  // for that person
  core::Json base;
  core::Json ours;
  core::Json theirs;
  core::Json merged;  // what is shown
};

struct Merge {
  core::Json shown;  // the whole resource; null: deleted on both sides
  std::vector<GroupDecision> decisions;
  std::string policy = usual_policy().version();  // it was made under

  bool asks() const;
};

/// Groups only one side changed are taken without a decision, but for those of the rule `his`, for
/// a status that would leave an end state or a safer one, and for a stop or a retraction of what
/// the other side changed: it acts, and a person is asked. Of results, and of what is contained, a
/// person is asked as soon as each side changed anything.
Merge merge(const Versions& versions, const MergePolicy& policy);

/// True when `to` differs from `from` in a group of the rule `his`: coming from the clinic, that is
/// a proposal.
bool changes_what_hospital_keeps(const core::Json& from, const core::Json& to);

/// `resource` with a decision taken otherwise: the group's elements as that side had them.
core::Json with_choice(const core::Json& resource, const GroupDecision& decision, Choice choice);

}  // namespace gateway::sync
