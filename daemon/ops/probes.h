// Peers as this machine sees them, for `doctor`: reached, trusted, for how many days, and whether
// the HIS is one. Blocking, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "daemon/settings.h"

namespace gateway::daemon {

struct PeerCheck {
  std::string name;          // "uplink his", "mqtt broker"
  std::string detail = {};   // what is well; empty with a problem
  std::string problem = {};  // what is not, and what to do
  bool soon = false;         // its certificate ends within 30 days
};

/// Every uplink and the broker, all at once; within 10 s.
std::vector<PeerCheck> probe_peers(const core::Config& config, const Settings& settings);

/// Whether some program listens there.
bool port_is_taken(const std::string& address, std::uint16_t port);

}  // namespace gateway::daemon
