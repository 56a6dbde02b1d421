#include "sync/replica.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/text.h"
#include "sync/search_index.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

/// (system, value) of each identifier the resource is known by.
using Identifiers = std::set<std::pair<std::string_view, std::string_view>>;

Identifiers identifiers_of(const Json& body) {
  Identifiers found;
  for (const Json& identifier : body["identifier"].items()) {
    const std::string_view value = identifier["value"].text();
    // A retired identifier must not match anyone any more.
    if (value.empty() || identifier["use"].text() == "old") continue;
    found.emplace(identifier["system"].text(), value);
  }
  return found;
}

core::Status index_identifiers(Connection& connection, const ResourceKey& key, const Json& before,
                               const Json& after) {
  const Identifiers old = identifiers_of(before);
  const Identifiers now = identifiers_of(after);
  for (const auto& [system, value] : old) {
    if (now.contains({system, value})) continue;
    GW_CHECK(connection.run(
        "DELETE FROM resource_identifier WHERE type = ? AND system = ? AND value = ? AND id = ?",
        key.type, system, value, key.id));
  }
  for (const auto& [system, value] : now) {
    if (old.contains({system, value})) continue;
    GW_CHECK(connection.run(
        "INSERT OR IGNORE INTO resource_identifier (type, system, value, id) VALUES (?, ?, ?, ?)",
        key.type, system, value, key.id));
  }
  return {};
}

/// Of two moments in a row: the clock may go back, the order of versions may not.
core::Result<std::string> not_before_newest(Connection& connection, std::string_view now_instant) {
  GW_TRY(const auto newest, connection.text("SELECT max(at) FROM resource_version"));
  return std::max(newest.value_or(""), std::string(now_instant));
}

core::Status note_newest(Connection& connection, const ResourceKey& key, std::int64_t version,
                         bool deleted, std::string_view at) {
  if (version == 1) {
    return connection.run(
        "INSERT INTO resource (type, id, version, deleted, at) VALUES (?, ?, 1, ?, ?)", key.type,
        key.id, deleted, at);
  }
  return connection.run(
      "UPDATE resource SET version = ?, deleted = ?, at = ? WHERE type = ? AND id = ?", version,
      deleted, at, key.type, key.id);
}

}  // namespace

core::Result<std::int64_t> put_version(Connection& connection, const ResourceKey& key,
                                       const std::optional<StoredResource>& newest,
                                       const Json& after, std::string_view origin,
                                       std::string_view now_instant) {
  const Json none;
  const Json& before = newest ? newest->body : none;
  const std::int64_t version = newest ? newest->version + 1 : 1;
  GW_TRY(const std::string at, not_before_newest(connection, now_instant));
  GW_CHECK(note_newest(connection, key, version, after.is_null(), at));
  GW_CHECK(
      connection.run("INSERT INTO resource_version (type, id, version, origin, at, body) VALUES "
                     "(?, ?, ?, ?, ?, ?)",
                     key.type, key.id, version, origin, at, after.dump()));
  GW_CHECK(index_identifiers(connection, key, before, after));
  GW_CHECK(index_resource(connection, key, before, after));
  return version;
}

std::optional<ResourceKey> parse_reference(std::string_view reference) {
  const auto slash = reference.find('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  std::string_view id = reference.substr(slash + 1);
  id = id.substr(0, id.find("/_history/"));
  const auto is_id_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  };
  const auto type = reference.substr(0, slash);
  const bool named = std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  if (!named || id.empty() || id.size() > 64 || !std::all_of(id.begin(), id.end(), is_id_char)) {
    return std::nullopt;
  }
  return ResourceKey{std::string(type), std::string(id)};
}

core::Result<std::optional<StoredResource>> read_resource(Connection& connection,
                                                          const ResourceKey& key) {
  GW_TRY(auto newest, read_newest_version(connection, key));
  if (newest && newest->body.is_null()) newest.reset();
  return newest;
}

core::Result<std::optional<Json>> read_version(Connection& connection, const ResourceKey& key,
                                               std::int64_t version) {
  GW_TRY(const auto text,
         connection.text("SELECT body FROM resource_version WHERE type = ? AND id = ?"
                         " AND version = ?",
                         key.type, key.id, version));
  if (!text) return std::optional<Json>();
  GW_TRY(Json body, Json::parse(*text));
  return std::optional<Json>(std::move(body));
}

core::Result<std::int64_t> put_resource(Connection& connection, const ResourceKey& key,
                                        const Json& body, std::string_view origin,
                                        std::string_view now_instant) {
  GW_TRY(const auto newest, read_newest_version(connection, key));
  if (newest && newest->body == body) return newest->version;
  return put_version(connection, key, newest, body, origin, now_instant);
}

core::Result<std::int64_t> delete_resource(Connection& connection, const ResourceKey& key,
                                           std::string_view origin, std::string_view now_instant) {
  GW_TRY(const auto newest, read_newest_version(connection, key));
  if (!newest || newest->body.is_null()) return newest ? newest->version : 0;
  return put_version(connection, key, newest, Json(), origin, now_instant);
}

core::Result<std::optional<VersionFacts>> read_newest(Connection& connection,
                                                      const ResourceKey& key) {
  GW_TRY(auto rows,
         connection.query("SELECT version, at, deleted FROM resource WHERE type = ? AND id = ?",
                          key.type, key.id));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<VersionFacts>();
  return std::optional<VersionFacts>(
      VersionFacts{rows.integer(0), std::string(rows.text(1)), rows.integer(2) != 0});
}

core::Result<std::optional<StoredResource>> read_newest_version(Connection& connection,
                                                                const ResourceKey& key) {
  GW_TRY(auto rows, connection.query(
                        "SELECT v.version, v.origin, v.body FROM resource r JOIN resource_version v"
                        " ON v.type = r.type AND v.id = r.id AND v.version = r.version"
                        " WHERE r.type = ? AND r.id = ?",
                        key.type, key.id));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<StoredResource>();
  GW_TRY(Json body, Json::parse(rows.text(2)));
  return std::optional<StoredResource>(
      StoredResource{rows.integer(0), std::string(rows.text(1)), std::move(body)});
}

core::Result<std::optional<AgreedVersion>> read_base(Connection& connection,
                                                     std::string_view uplink,
                                                     const ResourceKey& key) {
  GW_TRY(auto rows, connection.query("SELECT remote_version, version FROM resource_base WHERE "
                                     "uplink = ? AND type = ? AND id = ?",
                                     uplink, key.type, key.id));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<AgreedVersion>();
  return std::optional<AgreedVersion>(AgreedVersion{std::string(rows.text(0)), rows.integer(1)});
}

core::Status put_base(Connection& connection, std::string_view uplink, const ResourceKey& key,
                      const AgreedVersion& base) {
  return connection.run(
      "INSERT INTO resource_base (uplink, type, id, remote_version, version) VALUES (?, ?, ?, ?, ?)"
      " ON CONFLICT (uplink, type, id) DO UPDATE SET remote_version = excluded.remote_version,"
      " version = excluded.version",
      uplink, key.type, key.id, base.remote_version, base.version);
}

core::Result<std::vector<std::string>> agreed_elsewhere(Connection& connection,
                                                        std::string_view uplink,
                                                        const ResourceKey& key,
                                                        std::int64_t version) {
  // filled_uplink: those that were configured when the gateway opened.
  GW_TRY(auto rows,
         connection.query("SELECT uplink FROM resource_base JOIN filled_uplink USING (uplink)"
                          " WHERE type = ? AND id = ? AND uplink <> ? AND version <> ?"
                          " ORDER BY uplink",
                          key.type, key.id, uplink, version));
  std::vector<std::string> uplinks;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return uplinks;
    uplinks.emplace_back(rows.text(0));
  }
}

core::Result<bool> was_made_here(Connection& connection, const ResourceKey& key) {
  GW_TRY(const auto origin,
         connection.text("SELECT origin FROM resource_version WHERE type = ? AND id = ?"
                         " ORDER BY version LIMIT 1",
                         key.type, key.id));
  return origin == "clinic";
}

core::Result<std::vector<std::string>> find_by_identifier(Connection& connection,
                                                          std::string_view type,
                                                          std::string_view system,
                                                          std::string_view value) {
  GW_TRY(auto rows,
         connection.query(
             "SELECT id FROM resource_identifier WHERE type = ? AND system = ? AND value = ?", type,
             system, value));
  std::vector<std::string> ids;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return ids;
    ids.emplace_back(rows.text(0));
  }
}

}  // namespace gateway::sync
