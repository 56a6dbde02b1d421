// The replica: the FHIR resources the clinic sees, every local version, and the last version agreed
// with each uplink. All functions run inside the caller's transaction (writes) or snapshot (reads).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// "Patient/0190…": the type and id of a relative literal reference; nothing for anything else.
/// Absolute URLs are not followed.
struct ResourceKey {
  std::string type;
  std::string id;
  std::string text() const { return type + "/" + id; }
};
std::optional<ResourceKey> parse_reference(std::string_view reference);

struct StoredResource {
  std::int64_t version = 0;  // local
  std::string origin;        // "clinic" or an uplink's name
  core::Json body;
};

core::Result<std::optional<StoredResource>> read_resource(crypto::Connection& connection,
                                                          const ResourceKey& key);

/// The body of one version, null that of a tombstone; nothing when there is none of that number.
core::Result<std::optional<core::Json>> read_version(crypto::Connection& connection,
                                                     const ResourceKey& key, std::int64_t version);

/// Stores a new version and its rows of the search index; answers the version's number. Stores
/// nothing when the newest equals `body`.
core::Result<std::int64_t> put_resource(crypto::Connection& connection, const ResourceKey& key,
                                        const core::Json& body, std::string_view origin,
                                        std::string_view now_instant);

/// The same for whoever has just read the newest version (read_newest_version(), in this
/// transaction) and found that `body` differs; null: a tombstone.
core::Result<std::int64_t> put_version(crypto::Connection& connection, const ResourceKey& key,
                                       const std::optional<StoredResource>& newest,
                                       const core::Json& body, std::string_view origin,
                                       std::string_view now_instant);

/// Marks it deleted: a version whose body is null, kept like any other. Answers the version's
/// number, of the tombstone that is there already where it was deleted before; 0: never held.
core::Result<std::int64_t> delete_resource(crypto::Connection& connection, const ResourceKey& key,
                                           std::string_view origin, std::string_view now_instant);

/// The newest version, which may be a tombstone: its body is null.
core::Result<std::optional<StoredResource>> read_newest_version(crypto::Connection& connection,
                                                                const ResourceKey& key);
/// The newest version without its body.
struct VersionFacts {
  std::int64_t version = 0;
  std::string at;  // FHIR instant; of all versions in the order they were stored, never going back
  bool deleted = false;
};
core::Result<std::optional<VersionFacts>> read_newest(crypto::Connection& connection,
                                                      const ResourceKey& key);

/// Whether its first version was entered here, not read from a hospital. False: it is not held.
core::Result<bool> was_made_here(crypto::Connection& connection, const ResourceKey& key);

struct AgreedVersion {
  std::string remote_version;
  std::int64_t version = 0;
};
core::Result<std::optional<AgreedVersion>> read_base(crypto::Connection& connection,
                                                     std::string_view uplink,
                                                     const ResourceKey& key);
core::Status put_base(crypto::Connection& connection, std::string_view uplink,
                      const ResourceKey& key, const AgreedVersion& base);

/// Configured uplinks, other than `uplink`, that have agreed on a version of it, and not on this.
core::Result<std::vector<std::string>> agreed_elsewhere(crypto::Connection& connection,
                                                        std::string_view uplink,
                                                        const ResourceKey& key,
                                                        std::int64_t version);

/// Ids of resources of `type` that carry the identifier.
core::Result<std::vector<std::string>> find_by_identifier(crypto::Connection& connection,
                                                          std::string_view type,
                                                          std::string_view system,
                                                          std::string_view value);

}  // namespace gateway::sync
