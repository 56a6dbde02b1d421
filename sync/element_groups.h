// A resource taken apart into the element groups of the policy table, and put together again. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "sync/conflict_policy.h"

namespace gateway::sync {

/// The resource as a merge sees it: what meta says of it ("meta.security", "meta.tag") stands
/// beside its elements, meta keeps what the server says, and a generated narrative, which speaks of
/// one side only, is left out. Null stays null.
core::Json as_elements(const core::Json& resource);
/// The way back.
core::Json as_resource(const core::Json& elements);

/// A group as it occurs in some versions.
struct Group {
  std::string name;
  const ElementGroup* row = nullptr;  // null: the policy does not name it
  std::set<std::string> members;      // with a primitive's extensions ("_birthDate")

  Rule rule() const { return row ? row->rule : Rule::ask; }
  /// It says something of the resource as a record, nothing clinical.
  bool is_of_meta() const { return members.begin()->starts_with("meta."); }
};
/// Of versions as_elements() gave; null ones have none.
std::vector<Group> groups_of(std::string_view type, const MergePolicy& policy,
                             const std::vector<const core::Json*>& versions);

/// The group's elements, an object.
core::Json part(const core::Json& elements, const Group& group);
/// `elements` with those of `members` replaced by `part`'s. They keep their place where they have
/// one.
core::Json with_part(const core::Json& elements, const std::set<std::string>& members,
                     const core::Json& part);

}  // namespace gateway::sync
