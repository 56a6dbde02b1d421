// One outbox row on its way to a FHIR server: PUT by our own id, or a conditional create where the
// server refuses that (sync/server_ids.h); DELETE where it was deleted here; If-Match whenever a
// version was agreed before, and after a lost answer reading back before sending again. A version
// the server changed meanwhile is merged with ours (sync/reconcile.h), never overwritten. Requests
// of one row (push_by_itself) and what the answers mean, however they came: rows in one request are
// in sync/fhir_push_bundle.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/net/http.h"
#include "sync/conflict_policy.h"
#include "sync/fhir_endpoint.h"
#include "sync/fhir_probe.h"
#include "sync/holdings.h"
#include "sync/outgoing.h"
#include "sync/uplink.h"

namespace gateway::sync {

/// What every row of an uplink is pushed with; outlives the pushes.
struct Pushing {
  FhirEndpoint& endpoint;
  Holdings& holdings;
  const core::Clock& clock;
  std::string uplink;
  // Unknown: PUT is tried, and where that is refused a conditional create.
  Known makes_under_our_id = Known::yes;
  const MergePolicy& policy = usual_policy();
  // No: what the server has is read before each write to it, and only what is changed there in
  // between is not seen.
  Known heeds_if_match = Known::yes;
};

struct Push {
  const Pushing& with;
  OutboxRow row;
  Outgoing outgoing;
};

/// The outcome where nothing needs to be asked or sent.
std::optional<RowOutcome> settled_already(const Push& push);

/// True where the server's copy must be read before anything is sent.
bool is_read_first(const Push& push);

/// New there, and made by a conditional create: looked for by its mark.
bool goes_by_mark(const Push& push);

/// Asks for the server's copy.
core::net::Awaitable<core::Result<FhirAnswer>> read_there(const Push& push);
/// The same within a Bundle: Type/id, or a search.
std::string place_there(const Push& push);

/// An answer to a conditional create, of what went by its mark.
struct Created {
  Push* push;
  FhirAnswer* answer;
};
/// Notes what the server calls them, in one transaction. What was there already, and what the
/// server does not name, loses its version in the answer: it has to be read.
core::net::Awaitable<core::Status> note_created(const Pushing& with, std::vector<Created> created);

/// Under which id the server has it: that is noted, and `answer` (to read_there()) becomes that to
/// a read by this id. Answers an outcome where the server did not say.
core::net::Awaitable<std::optional<RowOutcome>> locate(Push& push,
                                                       core::Result<FhirAnswer>& answer);
/// What the server's copy means, once it and those it may refer to are located. Answers an outcome
/// when that settles the row; else `base` is what the next PUT must name.
core::net::Awaitable<std::optional<RowOutcome>> settle_read(Push& push, FhirAnswer answer);

/// What the answer to a PUT, POST or DELETE means. Nothing: the server holds another version than
/// the one named, or took it without telling the version; either way it must be read.
std::optional<RowOutcome> settle_write(const Push& push, const core::Result<FhirAnswer>& answer);

/// A read-back that followed something sent: not reached for the question, the server may have it
/// all the same.
std::optional<RowOutcome> after_sending(std::optional<RowOutcome> settled);

/// Sends it in requests of its own until it is settled.
core::net::Awaitable<RowOutcome> push_by_itself(Push& push);

}  // namespace gateway::sync
