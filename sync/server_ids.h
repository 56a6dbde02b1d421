// Resources a FHIR server keeps under ids of its own, because it makes none under ours (PUT as
// create refused): which of its ids stands for which of ours, kept durably, and bodies turned from
// one side's ids to the other's. Everything here goes by our ids; only what is sent and what has
// just been read goes by the server's.
//
// Such a resource is made by a conditional create (R4 3.1.0.8.1) and carries a mark with our id, by
// which it is found again when the answer was lost: an identifier, or a tag where the type has no
// list of identifiers. All functions that take a connection run inside the caller's transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/replica.h"

namespace gateway::sync {

/// The system of the mark.
inline constexpr std::string_view kMarkSystem = "urn:clinic-gateway:resource-id";

/// "Type/ours" and what the server calls it.
using ServerNames = std::vector<std::pair<std::string, std::string>>;

/// Whether any resource of ours goes by an id of the server's.
core::Result<bool> has_server_ids(crypto::Connection& connection, std::string_view uplink);
/// The server's id of a resource of ours; empty: it goes by our id, or is not known there.
core::Result<std::string> server_id_of(crypto::Connection& connection, std::string_view uplink,
                                       const ResourceKey& ours);
/// The key here of a resource as the server names it.
core::Result<ResourceKey> our_key_of(crypto::Connection& connection, std::string_view uplink,
                                     const ResourceKey& theirs);
/// Code::exists: the server's id stands for another resource of ours.
core::Status put_server_id(crypto::Connection& connection, std::string_view uplink,
                           const ResourceKey& ours, std::string_view server_id);

/// Of what `body` refers to: what the server has under other ids.
core::Result<ServerNames> names_there(crypto::Connection& connection, std::string_view uplink,
                                      const core::Json& body);

/// Whether a resource just read is the one of ours, by its mark.
bool carries_mark(const core::Json& resource, const ResourceKey& ours);
/// What a conditional create or a search asks for to find the resource by its mark.
std::string mark_query(const ResourceKey& ours);

/// The body with each reference named as `names` says; what follows an id (a version) is left.
core::Json with_names(const core::Json& body, const ServerNames& names);
/// Marked, and with `server_id` for an id, without one where that is empty.
core::Json as_marked(core::Json body, const ResourceKey& ours, std::string_view server_id);

/// A resource just read, with our ids in the place of the server's and without our mark. One that
/// carries the mark of a resource made here, and is not known yet, is noted (in a snapshot that
/// only reads, that fails).
core::Status to_our_ids(crypto::Connection& connection, std::string_view uplink,
                        core::Json& resource);

/// True where a resource refers to something that is not held while a creation of ours of that type
/// is on its way or may have arrived: what it refers to may be ours under an id not told yet.
core::Result<bool> refers_to_unnamed(crypto::Connection& connection, std::string_view uplink,
                                     const core::Json& resource);

}  // namespace gateway::sync
