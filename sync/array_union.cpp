#include "sync/array_union.h"

#include <map>
#include <utility>
#include <vector>

#include "core/text.h"
#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::Json;

std::string key_of(const Json& item, std::span<const std::string_view> key) {
  if (key.empty()) return canonical_text(item);
  std::string text;
  for (const std::string_view member : key) {
    text += canonical_text(item[member]);
    text += '\n';
  }
  return text;
}

using Keyed = std::vector<std::pair<std::string, const Json*>>;

Keyed keyed_items(const Json& array, std::span<const std::string_view> key) {
  Keyed items;
  std::map<std::string, int> seen;
  for (const Json& item : array.items()) {
    std::string name = key_of(item, key);
    const int occurrence = seen[name]++;
    items.emplace_back(core::cat(name, '#', occurrence), &item);
  }
  return items;
}

std::map<std::string, const Json*> by_name(const Keyed& items) {
  return {items.begin(), items.end()};
}

const Json* find(const std::map<std::string, const Json*>& items, const std::string& name) {
  const auto at = items.find(name);
  return at == items.end() ? nullptr : at->second;
}

bool same(const Json* a, const Json* b) { return a && b && same_value(*a, *b); }

}  // namespace

ArrayUnion unite(const UnionSides& sides, std::span<const std::string_view> key) {
  const Keyed theirs = keyed_items(sides.theirs, key);
  const Keyed ours = keyed_items(sides.ours, key);
  const auto base = by_name(keyed_items(sides.base, key));
  const auto our_items = by_name(ours);
  const auto their_items = by_name(theirs);

  ArrayUnion result{Json::array(), ""};
  for (const auto& [name, their_item] : theirs) {
    const Json* before = find(base, name);
    const Json* our_item = find(our_items, name);
    if (our_item == nullptr) {
      if (same(before, their_item)) continue;  // we removed it
      if (before != nullptr) result.disputed = "the clinic removed what the hospital changed";
      result.items.add(*their_item);
    } else if (same(our_item, their_item) || same(before, our_item)) {
      result.items.add(*their_item);
    } else if (same(before, their_item) || sides.prefer_ours) {
      result.items.add(*our_item);
    } else {
      if (!sides.prefer_theirs) result.disputed = "both sides changed the same entry";
      result.items.add(*their_item);
    }
  }
  for (const auto& [name, our_item] : ours) {
    if (find(their_items, name) != nullptr) continue;
    const Json* before = find(base, name);
    if (same(before, our_item)) continue;  // they removed it
    if (before != nullptr) result.disputed = "the hospital removed what the clinic changed";
    result.items.add(*our_item);
  }
  return result;
}

}  // namespace gateway::sync
