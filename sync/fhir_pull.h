// Brings a FHIR server's changes into the replica: `_lastUpdated=ge<cursor>` sorted ascending, page
// by page, each page one transaction with the worklist it changes. The next page is asked for by
// the time the last one ended with: a server's own link counts places, and skips a resource when
// one before it changes. The cursor is saved after the last page, behind what was seen by more than
// a server's longest transaction and never past its clock; where that went back, everything is read
// again. Repeats are recognised by versionId. A resource whose patient is not held, and a task
// whose order is not, waits in the inbox until that arrives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "crypto/database.h"
#include "sync/crossings.h"
#include "sync/fhir_endpoint.h"
#include "sync/holdings.h"
#include "sync/reconcile.h"
#include "sync/uplink.h"

namespace gateway::sync {

/// What a pull works with; outlives it.
struct Pulling {
  FhirEndpoint& endpoint;
  Holdings& holdings;
  const core::Clock& clock;
  Crossings& crossings;
  const std::string& uplink;
  bool ids_differ = false;  // what is made here may get an id of the server's
  const MergePolicy& policy = usual_policy();
};

/// A search to be run to its last page.
struct QueryAsked {
  std::string query;           // "Patient?general-practitioner=…"
  std::string since;           // an instant: what changed from then on; empty: all of it
  bool keeps_a_cursor = true;  // under the query's name
};
/// What it came to.
struct QueryEnd {
  std::int64_t applied = 0;  // resources new or changed
  std::string refused;       // why the server did not answer to it, for people; the rest is then
                             // of what came before
  std::string until;         // an instant: from then on it has to be asked the next time
  bool is_to_be_repeated = false;  // something crossed our own deliveries, or moved between pages
};
/// `asked.since` counts until the server's clock turns out to stand before it.
core::net::Awaitable<core::Result<QueryEnd>> pull_query(const Pulling& pulling, QueryAsked asked);

/// Runs each query ("Patient", "ServiceRequest?performer=…") to its end, in the order given. One
/// that the server refuses is told of and holds back no other: what refers to what it would have
/// brought is completed by id, or waits in the inbox.
core::net::Awaitable<PullReport> pull_queries(Pulling pulling, std::vector<std::string> queries);

/// crossed: our own change is on its way, and what was read may be older; it must be read again.
enum class Applied { unchanged, applied, waiting, crossed };

/// Applies one pulled resource inside the caller's transaction: replica, agreed version and
/// worklist, or an inbox row with the reason. With clinic changes that are not delivered yet it is
/// merged (sync/reconcile.h), never overwrites. `crossed`: a delivery of it ended after it was
/// read.
core::Result<Applied> apply_pulled(crypto::Connection& connection, const Reconciling& with,
                                   const core::Json& resource, const WorklistOptions& worklist,
                                   bool crossed = false);

/// The request target of a page link, taken relative to our own base URL: a server behind a proxy
/// names itself differently.
core::Result<std::string> page_target(std::string_view link);
/// The same of the link to the page after `bundle`; empty: it is the last.
core::Result<std::string> next_page(const core::Json& bundle);

}  // namespace gateway::sync
