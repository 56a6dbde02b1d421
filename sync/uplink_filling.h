// What was taken in before an uplink was configured: queued for it when the gateway opens, so that
// an uplink that comes later, or comes back, gets all that is held.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/ingest.h"

namespace gateway::sync {

/// Queues, for each configured uplink that was not there at the last start, every instance held and
/// (for FHIR) every study and every resource whose newest version is the clinic's, where the uplink
/// has neither confirmed it nor a row for it; then remembers the uplinks configured now. In small
/// transactions; broken off, it goes on at the next start. Where nothing changed it costs one
/// query. Rows of uplinks that are configured no more are left alone: health_report() counts them.
core::Status fill_new_uplinks(crypto::Database& database, const IngestOptions& options,
                              std::string_view now_instant);

}  // namespace gateway::sync
