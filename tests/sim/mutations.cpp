#include "tests/sim/mutations.h"

#include <cstdio>

#include "core/ids.h"
#include "core/text.h"
#include "sync/array_union.h"
#include "sync/conflict.h"
#include "sync/reference_order.h"
#include "tests/sim/chance.h"

namespace gateway::sim {
namespace {

std::optional<Mutation> switched_on;
Chance id_chance(0);

}  // namespace

bool is_on(Mutation mutation) { return switched_on == mutation; }
void switch_on(std::optional<Mutation> mutation) { switched_on = mutation; }
void seed_ids(unsigned long long seed) { id_chance = Chance(seed); }

}  // namespace gateway::sim

// What the linker's --wrap puts in the place of a function (__wrap_) and calls it by (__real_).
#define GW_WRAP(name) asm("__wrap_" name)
#define GW_REAL(name) asm("__real_" name)
#define GW_UNITE                                                  \
  "_ZN7gateway4sync5uniteERKNS0_10UnionSidesESt4spanIKSt17basic_" \
  "string_viewIcSt11char_traitsIcEELm18446744073709551615EE"
#define GW_MERGE "_ZN7gateway4sync5mergeERKNS0_8VersionsERKNS0_11MergePolicyE"
#define GW_REFERENCE_ORDER                                                          \
  "_ZN7gateway4sync15reference_orderERNS_6crypto10ConnectionESt17basic_string_view" \
  "IcSt11char_traitsIcEERKNS0_11ResourceKeyERKNS_4core4JsonE"
#define GW_NEW_UUID "_ZN7gateway4core8new_uuidB5cxx11ERKNS0_5ClockE"

namespace gateway::sim {

using Keys = std::span<const std::string_view>;
using FoundOrder = core::Result<sync::ReferenceOrder>;

sync::ArrayUnion real_unite(const sync::UnionSides& sides, Keys key) GW_REAL(GW_UNITE);
sync::ArrayUnion wrapped_unite(const sync::UnionSides& sides, Keys key) GW_WRAP(GW_UNITE);
sync::Merge real_merge(const sync::Versions& versions, const sync::MergePolicy& policy)
    GW_REAL(GW_MERGE);
sync::Merge wrapped_merge(const sync::Versions& versions, const sync::MergePolicy& policy)
    GW_WRAP(GW_MERGE);
FoundOrder real_reference_order(crypto::Connection& connection, std::string_view uplink,
                                const sync::ResourceKey& key, const core::Json& body)
    GW_REAL(GW_REFERENCE_ORDER);
FoundOrder wrapped_reference_order(crypto::Connection& connection, std::string_view uplink,
                                   const sync::ResourceKey& key, const core::Json& body)
    GW_WRAP(GW_REFERENCE_ORDER);
std::string wrapped_new_uuid(const core::Clock& clock) GW_WRAP(GW_NEW_UUID);

sync::ArrayUnion wrapped_unite(const sync::UnionSides& sides, Keys key) {
  if (!is_on(Mutation::merge_by_index)) return real_unite(sides, key);
  sync::ArrayUnion by_index{core::Json::array(), ""};
  const std::size_t count = std::max(sides.ours.size(), sides.theirs.size());
  for (std::size_t i = 0; i < count; ++i) {
    const core::Json& ours = sides.ours[i];
    const bool take_ours = sides.theirs[i].is_null() || (!ours.is_null() && ours != sides.base[i]);
    by_index.items.add(take_ours ? ours : sides.theirs[i]);
  }
  return by_index;
}

sync::Merge wrapped_merge(const sync::Versions& versions, const sync::MergePolicy& policy) {
  sync::Merge merged = real_merge(versions, policy);
  if (is_on(Mutation::drop_loser)) merged.decisions.clear();
  return merged;
}

FoundOrder wrapped_reference_order(crypto::Connection& connection, std::string_view uplink,
                                   const sync::ResourceKey& key, const core::Json& body) {
  if (is_on(Mutation::reference_first)) return sync::ReferenceOrder();
  return real_reference_order(connection, uplink, key, body);
}

std::string wrapped_new_uuid(const core::Clock&) {
  char text[37];
  std::snprintf(text, sizeof text, "0195a000-%04x-7%03x-8%03x-%012llx",
                static_cast<unsigned>(id_chance.next() & 0xffff),
                static_cast<unsigned>(id_chance.next() & 0xfff),
                static_cast<unsigned>(id_chance.next() & 0xfff),
                static_cast<unsigned long long>(id_chance.next() & 0xffffffffffffu));
  return text;
}

}  // namespace gateway::sim
