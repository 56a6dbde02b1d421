// Three-way union of an array whose items have names of their own: by key, never by index. Pure.
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
  bool prefer_ours = false;  // of an item both changed; neither: it is disputed
  bool prefer_theirs = false;
};

struct ArrayUnion {
  core::Json items;      // an array, theirs first, in their order
  std::string disputed;  // for a person: an item both sides changed, or one changed and one
                         // removed; theirs, or the change, is among the items. Empty: none
};

/// `key`: the members that name an item; empty: all it says. Items of one key are told apart by
/// their order among themselves.
ArrayUnion unite(const UnionSides& sides, std::span<const std::string_view> key);

}  // namespace gateway::sync
