// The interactions of the FHIR R4 REST API (3.1.0) on the replica. Each runs inside the snapshot or
// transaction its Desk holds; a refusal after a write asks the caller to undo the transaction.
#pragma once

#include <string>

#include "daemon/api/fhir/exchange.h"

namespace gateway::daemon::fhir {

enum class Kind {
  capabilities,
  read,
  vread,
  history_instance,
  history_type,
  history_system,
  search,
  create,
  update,
  patch,
  remove,
  bundle,
};

struct Interaction {
  Kind kind = Kind::read;
  std::string type;
  std::string id;       // empty with update, patch, remove: the query says which
  std::string version;  // vread

  bool writes() const {
    return kind == Kind::create || kind == Kind::update || kind == Kind::patch ||
           kind == Kind::remove;
  }
};

/// What the method and path ask for. Code::not_found: no such place; Code::invalid: not with this
/// method.
core::Result<Interaction> interaction_of(const FhirRequest& request);

/// The methods that the place answers, as the header Allow lists them.
std::string allowed_methods(FhirRequest request);

/// Any but bundle: scopes are checked here.
FhirResponse perform(Desk& desk, const FhirRequest& request, const Interaction& interaction);

/// 403 where the client's scopes do not hold the interaction.
std::optional<FhirResponse> refuse_interaction(const ApiClient& client,
                                               const Interaction& interaction);
/// 403 where the client's scopes do not hold it.
std::optional<FhirResponse> refuse_without_scope(const ApiClient& client, char what,
                                                 std::string_view type);

// The parts of perform(), by file: reads.cpp, searches.cpp, writes.cpp, capability.cpp.
/// 410.
FhirResponse was_deleted(const sync::ResourceKey& key, const sync::VersionFacts& tombstone);
FhirResponse answer_read(Desk& desk, const FhirRequest& request, const Interaction& interaction);
FhirResponse answer_vread(Desk& desk, const Interaction& interaction);
FhirResponse answer_history(Desk& desk, const FhirRequest& request, const Interaction& interaction);
FhirResponse answer_search(Desk& desk, const FhirRequest& request, const std::string& type);
FhirResponse answer_create(Desk& desk, const FhirRequest& request, const std::string& type);
FhirResponse answer_update(Desk& desk, const FhirRequest& request, const Interaction& interaction);
FhirResponse answer_patch(Desk& desk, const FhirRequest& request, const Interaction& interaction);
/// 409 where something held refers to it.
std::optional<FhirResponse> refuse_referred(Desk& desk, const std::string& reference);
FhirResponse answer_remove(Desk& desk, const FhirRequest& request, const Interaction& interaction);
core::Json capability_statement(const std::string& base, const std::string& site);

/// The one resource a condition ("identifier=…") names; empty: none. 412 when it names several, 400
/// when it is no condition, 403 when it chains to what the client may not search.
struct Matched {
  std::string id;
  std::optional<FhirResponse> refused;
};
Matched match_one(Desk& desk, const std::string& type, const sync::QueryPairs& condition);

/// A transaction: everything or nothing, in the caller's transaction. References to fullUrls of
/// entries, and conditional ones ("Patient?identifier=…", looked up when all else is done), become
/// real.
/// Each entry's scope is checked before anything is looked up for it.
FhirResponse answer_transaction(Desk& desk, const FhirRequest& bundle);
/// An entry of a Bundle as a request; its resource is the body. What the client prefers of the
/// Bundle's answer it prefers of the entries'; unsaid, they are minimal.
core::Result<FhirRequest> request_of_entry(const core::Json& entry, const FhirRequest& bundle,
                                           const std::string& base);
/// The response as an entry of the answering Bundle.
core::Json entry_of(const FhirResponse& response, const std::string& base);

}  // namespace gateway::daemon::fhir
