// What is to reach one FHIR server of one resource: the newest version held here, and where the
// server stands as far as is known. Inside the caller's transaction.
#pragma once

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/holdings.h"
#include "sync/replica.h"
#include "sync/server_ids.h"

namespace gateway::sync {

struct Outgoing {
  ResourceKey key;
  StoredResource resource;
  std::optional<AgreedVersion> base;
  bool refers_to_unsent = false;
  bool base_is_deleted = false;
  std::optional<core::Json> proposed_against;  // the agreed version, where a person is asked first
  std::string server_id;                       // the server's own; empty: it goes by ours
  ServerNames names;                           // of what it refers to

  bool is_agreed() const { return base && base->version == resource.version; }
  bool is_deletion() const { return resource.body.is_null(); }
  /// What the server calls it.
  ResourceKey server_key() const { return {key.type, server_id.empty() ? key.id : server_id}; }
  /// The server has never told of it, as far as is known.
  bool is_new() const { return !base && server_id.empty(); }
  /// What is sent of it. `under_our_id`: where it is new, the server is to keep it under that.
  std::string text(bool under_our_id) const;
  /// The hospital had it once and, as far as is known, has it no more: no version guards it.
  bool is_revival() const { return base && if_match().empty(); }
  /// What If-Match names: a version that is there.
  std::string if_match() const {
    return base && !base_is_deleted ? base->remote_version : std::string();
  }
};

/// What is held of it now; nothing: it is no longer held.
core::Result<std::optional<Outgoing>> load_held(crypto::Connection& connection,
                                                const std::string& uplink, const ResourceKey& key);

/// The same before it is sent: an ImagingStudy is made of the instances held, at that moment.
core::Result<std::optional<Outgoing>> load_outgoing(crypto::Connection& connection,
                                                    Holdings& holdings, const core::Clock& clock,
                                                    const std::string& uplink,
                                                    const ResourceKey& key);

/// Which of our own versions after the agreed one (0: none) the server's copy is, if any: an
/// earlier attempt whose answer was lost. One from before says that somebody there went back to it.
core::Result<std::optional<std::int64_t>> own_version_like(crypto::Connection& connection,
                                                           const ResourceKey& key,
                                                           std::int64_t agreed,
                                                           const core::Json& remote);

}  // namespace gateway::sync
