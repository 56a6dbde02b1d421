// What a FHIR server really does, asked of the server itself: its CapabilityStatement, a Bundle,
// and one resource of type Basic that is made, changed with a stale If-Match, made again and
// deleted.
#pragma once

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "sync/fhir_bundle.h"
#include "sync/fhir_endpoint.h"

namespace gateway::sync {

enum class Known { unknown, no, yes };

struct ServerAbilities {
  std::string asked_at;  // FHIR instant; empty: never
  std::string software;  // as it names itself
  std::string fhir_version;
  Known batch = Known::unknown;
  Known transaction = Known::unknown;  // as it claims
  Known gzip = Known::unknown;         // of what is sent to it
  Known put_creates = Known::unknown;  // under ids of ours; no: under its own
  Known if_match = Known::unknown;
  Known if_match_in_bundle = Known::unknown;
  Known if_none_match = Known::unknown;
  Known type_history = Known::unknown;  // as it claims

  /// A batch keeps one entry's failure from the others; a transaction where there is nothing else.
  std::optional<BundleKind> bundles() const;
  /// With `warnings`: what a person should know, in sentences. Null: never asked.
  core::Json report() const;
};

/// Asks. `probe_id` is the id of the Basic resource, the same from one asking to the next. An error
/// means that the server did not answer to the end: ask again later.
core::net::Awaitable<core::Result<ServerAbilities>> probe_server(FhirEndpoint& endpoint,
                                                                 std::string probe_id,
                                                                 const core::Clock& clock);

}  // namespace gateway::sync
