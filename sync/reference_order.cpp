#include "sync/reference_order.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

// Longer chains of rows waiting for each other are taken for a circle.
constexpr int kChainMax = 64;

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

/// True when `row` waits, over however many others, for a row of `subject`.
core::Result<bool> waits_for(Connection& connection, std::int64_t row, const std::string& subject) {
  for (int length = 0; length < kChainMax; ++length) {
    GW_TRY(auto rows, connection.query("SELECT n.number, n.subject FROM outbox o JOIN outbox n"
                                       " ON n.number = o.needs WHERE o.number = ?",
                                       row));
    GW_TRY(const bool waits, rows.next());
    if (!waits) return false;
    if (rows.text(1) == subject) return true;
    row = rows.integer(0);
  }
  return true;
}

}  // namespace

std::vector<ResourceKey> references_of(const Json& resource) {
  std::vector<ResourceKey> found;
  collect(resource, found);
  return found;
}

core::Result<std::optional<std::int64_t>> row_to_wait_for(Connection& connection,
                                                          std::string_view uplink,
                                                          const ResourceKey& key,
                                                          const Json& body) {
  for (const ResourceKey& target : references_of(body)) {
    if (target.type == key.type && target.id == key.id) continue;
    GW_TRY(const auto row,
           connection.integer(
               "SELECT min(number) FROM outbox o WHERE kind = 'resource' AND subject = ?"
               " AND uplink = ? AND NOT EXISTS (SELECT 1 FROM resource_base b"
               " WHERE b.uplink = o.uplink AND b.type = ? AND b.id = ?)",
               target.text(), uplink, target.type, target.id));
    if (!row) continue;
    GW_TRY(const bool is_circle, waits_for(connection, *row, key.text()));
    if (!is_circle) return row;
  }
  return std::optional<std::int64_t>();
}

}  // namespace gateway::sync
