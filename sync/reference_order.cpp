#include "sync/reference_order.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

// What is behind more unsent resources than this is taken to end there.
constexpr std::size_t kUnsentMax = 1'000;

void collect(const Json& value, std::vector<ResourceKey>& found) {
  for (const Json& item : value.items()) collect(item, found);
  for (const auto& [member, inner] : value.members()) {
    if (member == "contained") continue;
    if (member != "reference") {
      collect(inner, found);
      continue;
    }
    auto key = parse_reference(inner.text());
    if (!key) continue;
    const bool known = std::ranges::any_of(
        found, [&](const ResourceKey& k) { return k.type == key->type && k.id == key->id; });
    if (!known) found.push_back(std::move(*key));
  }
}

/// A resource on the way from one to what it refers to.
struct Unsent {
  ResourceKey key;
  std::int64_t row = 0;
  std::vector<std::size_t> targets;  // that are unsent too
  bool is_in_circle = false;         // refers, over however many others, to the first
};

/// Its row; nothing: it is confirmed, or nobody is going to send it.
core::Result<std::optional<std::int64_t>> unsent_row(Connection& connection,
                                                     std::string_view uplink,
                                                     const ResourceKey& key) {
  return connection.integer(
      "SELECT min(number) FROM outbox o WHERE kind = 'resource' AND subject = ?"
      " AND uplink = ? AND NOT EXISTS (SELECT 1 FROM resource_base b"
      " WHERE b.uplink = o.uplink AND b.type = ? AND b.id = ?)",
      key.text(), uplink, key.type, key.id);
}

/// Puts what is unsent of what `found[at]` refers to behind the others.
core::Status add_targets(Connection& connection, std::string_view uplink, const Json& body,
                         std::size_t at, std::vector<Unsent>& found) {
  for (ResourceKey& target : references_of(body)) {
    const auto known = std::ranges::find_if(found, [&](const Unsent& one) {
      return one.key.type == target.type && one.key.id == target.id;
    });
    if (known != found.end()) {
      found[at].targets.push_back(static_cast<std::size_t>(known - found.begin()));
      continue;
    }
    GW_TRY(const auto row, unsent_row(connection, uplink, target));
    if (!row) continue;
    found[at].targets.push_back(found.size());
    found.push_back({std::move(target), *row, {}});
  }
  return {};
}

void mark_circle(std::vector<Unsent>& found) {
  found.front().is_in_circle = true;
  for (bool changed = true; changed;) {
    changed = false;
    for (Unsent& one : found) {
      if (one.is_in_circle) continue;
      one.is_in_circle = std::ranges::any_of(
          one.targets, [&](std::size_t target) { return found[target].is_in_circle; });
      changed = changed || one.is_in_circle;
    }
  }
}

}  // namespace

std::vector<ResourceKey> references_of(const Json& resource) {
  std::vector<ResourceKey> found;
  collect(resource, found);
  return found;
}

core::Result<ReferenceOrder> reference_order(Connection& connection, std::string_view uplink,
                                             const ResourceKey& key, const Json& body) {
  std::vector<Unsent> found{{key, 0, {}}};
  GW_CHECK(add_targets(connection, uplink, body, 0, found));
  for (std::size_t at = 1; at < found.size() && found.size() <= kUnsentMax; ++at) {
    GW_TRY(const auto held, read_resource(connection, found[at].key));
    if (held) GW_CHECK(add_targets(connection, uplink, held->body, at, found));
  }
  mark_circle(found);
  ReferenceOrder order;
  for (const Unsent& one : found) {
    if (!one.is_in_circle) continue;
    for (const std::size_t target : one.targets)
      if (!found[target].is_in_circle && !order.first) order.first = found[target].row;
    if (one.row != 0) order.circle.push_back(one.row);
  }
  return order;
}

}  // namespace gateway::sync
