// The local FHIR R4 API: HTTPS below /fhir, on the holdings behind the door (docs/fhir-api.md).
// Works while LOCKED as far as to say so. A write is answered when it is durable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::daemon::fhir {

struct FhirServerOptions {
  std::string site;
  std::string state_folder;
  std::uint64_t reserve_bytes = 0;  // free disk below which nothing is written
  bool takes_uploads = false;       // a hub's: daemon/api/uploads
};

class FhirServer {
 public:
  /// Listens as [api] says. `door` and `clock` outlive it; `wake` (any thread) runs after a write
  /// that is to be sent on.
  static core::Result<std::unique_ptr<FhirServer>> start(const core::Config& config,
                                                         FhirServerOptions options,
                                                         const sync::HoldingsDoor& door,
                                                         const core::Clock& clock,
                                                         std::function<void()> wake);
  /// Answers what is at work, then ends the connections.
  virtual ~FhirServer() = default;
  virtual std::uint16_t port() const = 0;
};

}  // namespace gateway::daemon::fhir
