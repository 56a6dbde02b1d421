// Delivers one resource to a FHIR server: PUT by our own id (DELETE where it was deleted here),
// If-Match whenever a version was agreed before, and after a lost answer reading back before
// sending again. A version the server changed meanwhile is merged with ours (sync/reconcile.h),
// never overwritten.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/net/http.h"
#include "sync/fhir_endpoint.h"
#include "sync/holdings.h"
#include "sync/uplink.h"

namespace gateway::sync {

core::net::Awaitable<RowOutcome> push_resource(FhirEndpoint& endpoint, Holdings& holdings,
                                               const core::Clock& clock, const std::string& uplink,
                                               OutboxRow row);

}  // namespace gateway::sync
