// Three-way union of an array whose items have names of their own: never by index. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/json.h"

namespace gateway::sync {

struct UnionSides {
  core::Json base;  // arrays, or null
  core::Json ours;
  core::Json theirs;
};

struct ArrayUnion {
  core::Json items;      // an array, theirs first, in their order
  std::string disputed;  // for a person: an item both sides changed, or one changed and one
                         // removed; theirs, or the change, is among the items. Empty: none
};

/// What either side added, removed or changed, told by what the items say, as often as they say it.
/// `key`: the members that name an item; it tells whether both sides changed the same one, and
/// where it names several of one side, that cannot be told of their additions, which are all taken.
/// Empty: an item is named by all it says.
ArrayUnion unite(const UnionSides& sides, std::span<const std::string_view> key);

}  // namespace gateway::sync
