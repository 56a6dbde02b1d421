// Finds out what was deleted at a FHIR server that has no type history: once a day of the server's
// time the ids that a query answers are compared with what was agreed upon with it. What they leave
// out may have been deleted, or match the query no more: it is read before anything is believed.
#pragma once

#include <string>

#include "sync/fhir_pull.h"

namespace gateway::sync {

/// For one query that has just been pulled to its end; `until`: how far it has come. Reads at most
/// a thousand resources a time, drawn by chance where there are more. True: nothing has to be
/// looked at again before the next day.
core::net::Awaitable<core::Result<bool>> take_inventory(const Pulling& pulling, std::string query,
                                                        std::string until);

}  // namespace gateway::sync
