// What runs here and what it is set up with, for central operations
// (docs/mqtt/inventory.schema.json). Names are those of the configuration: what a device calls
// itself never leaves the clinic.
#pragma once

#include <string>

#include "core/config.h"
#include "core/json.h"
#include "daemon/ops/vitals.h"

namespace gateway::daemon {

struct SystemFacts {
  std::string distribution;  // "Debian GNU/Linux 12 (bookworm)"
  std::string kernel;
  std::string architecture;
  std::string
      sbom_sha256;  // of the package's bill of materials, hex; empty: not installed from a package
};
/// Reads /etc/os-release and the bill of materials; what is not known reads as empty.
SystemFacts read_system_facts();

/// Pure. `certificates`: certificates_report().
core::Json inventory_document(const Vitals& vitals, const core::Config& config,
                              const core::Json& certificates, const SystemFacts& system);

}  // namespace gateway::daemon
