// ASTM devices (LIS01-A2, LIS02-A2) on TCP, where they call or are called, and on serial lines. A
// frame is acknowledged after its commit and not before; LOCKED, the device hears that the gateway
// is busy and keeps its results.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/astm/astm_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::astm {

class AstmServer : public Adapter {
 public:
  /// `door` and `clock` outlive it.
  static std::unique_ptr<AstmServer> create(std::vector<AstmDevice> devices,
                                            const sync::HoldingsDoor& door,
                                            const core::Clock& clock);
  /// The port of a device's listener that runs.
  virtual std::uint16_t port(const std::string& device) const = 0;
};

}  // namespace gateway::adapters::astm
