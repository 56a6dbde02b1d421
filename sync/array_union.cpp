#include "sync/array_union.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::Json;

struct Item {
  const Json* json = nullptr;
  std::string value;  // all it says
  std::string name;   // what its key says
};

std::vector<Item> items_of(const Json& array, std::span<const std::string_view> key) {
  std::vector<Item> items;
  for (const Json& json : array.items()) {
    Item item{&json, canonical_text(json), ""};
    for (const std::string_view member : key) item.name += canonical_text(json[member]) + '\n';
    if (key.empty()) item.name = item.value;
    items.push_back(std::move(item));
  }
  return items;
}

/// How often each value stands in an array.
using Counts = std::map<std::string, int>;

Counts counts_of(const std::vector<Item>& items) {
  Counts counts;
  for (const Item& item : items) ++counts[item.value];
  return counts;
}

/// Of `items`, those `other` has not, as often as it lacks them: the last of equal ones.
std::vector<Item> beyond(const std::vector<Item>& items, Counts other) {
  std::vector<Item> more;
  for (const Item& item : items) {
    if (other[item.value]-- <= 0) more.push_back(item);
  }
  return more;
}

/// What became of the items of one name.
struct Named {
  std::size_t ours = 0;  // how many there are
  std::size_t theirs = 0;
  Counts ours_removed;
  Counts theirs_removed;
  std::vector<Item> ours_added;  // without what they added too
  std::vector<Item> theirs_added;

  bool both_removed_one() const {
    return std::ranges::any_of(
        ours_removed, [&](const auto& removed) { return theirs_removed.contains(removed.first); });
  }
  std::string_view dispute() const {
    const bool ours_adds = !ours_added.empty();
    const bool theirs_adds = !theirs_added.empty();
    if (both_removed_one()) {
      if (ours_adds && theirs_adds) return "both sides changed the same entry";
      if (ours_adds) return "the hospital removed what the clinic changed";
      if (theirs_adds) return "the clinic removed what the hospital changed";
    }
    // Where a side has more of the name, two that are added are two.
    if (ours_adds && theirs_adds && ours <= 1 && theirs <= 1)
      return "both sides changed the same entry";
    return {};
  }
};

using ByName = std::map<std::string, Named>;

ByName changes_by_name(const std::vector<Item>& base, const std::vector<Item>& ours,
                       const std::vector<Item>& theirs) {
  ByName names;
  for (const Item& item : ours) ++names[item.name].ours;
  for (const Item& item : theirs) ++names[item.name].theirs;
  for (const Item& item : beyond(base, counts_of(ours)))
    ++names[item.name].ours_removed[item.value];
  for (const Item& item : beyond(base, counts_of(theirs)))
    ++names[item.name].theirs_removed[item.value];
  const std::vector<Item> ours_added = beyond(ours, counts_of(base));
  const std::vector<Item> theirs_added = beyond(theirs, counts_of(base));
  for (const Item& item : beyond(ours_added, counts_of(theirs_added)))
    names[item.name].ours_added.push_back(item);
  for (const Item& item : beyond(theirs_added, counts_of(ours_added)))
    names[item.name].theirs_added.push_back(item);
  return names;
}

/// What the clinic removed and the hospital still has.
int still_to_remove(const Named& named, const std::string& value) {
  const auto ours = named.ours_removed.find(value);
  if (ours == named.ours_removed.end()) return 0;
  const auto theirs = named.theirs_removed.find(value);
  return ours->second - (theirs == named.theirs_removed.end() ? 0 : theirs->second);
}

}  // namespace

ArrayUnion unite(const UnionSides& sides, std::span<const std::string_view> key) {
  const std::vector<Item> theirs = items_of(sides.theirs, key);
  const std::vector<Item> ours = items_of(sides.ours, key);
  ByName names = changes_by_name(items_of(sides.base, key), ours, theirs);

  ArrayUnion result{Json::array(), ""};
  std::map<std::string, std::vector<Item>> to_add;
  for (auto& [name, named] : names) {
    const std::string_view dispute = named.dispute();
    if (!dispute.empty()) result.disputed = dispute;
    if (dispute.empty() || named.theirs_added.empty()) to_add[name] = named.ours_added;
  }
  const auto take_next = [&](const std::string& name) {
    std::vector<Item>& waiting = to_add[name];
    if (waiting.empty()) return;
    result.items.add(*waiting.front().json);
    waiting.erase(waiting.begin());
  };
  Counts removed;
  for (const Item& item : theirs) {
    if (removed[item.value] < still_to_remove(names[item.name], item.value)) {
      ++removed[item.value];
      take_next(item.name);  // in its place
    } else {
      result.items.add(*item.json);
    }
  }
  for (const Item& item : ours) {
    std::vector<Item>& waiting = to_add[item.name];
    if (!waiting.empty() && waiting.front().json == item.json) take_next(item.name);
  }
  return result;
}

}  // namespace gateway::sync
