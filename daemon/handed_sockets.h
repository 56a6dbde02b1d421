// Listening sockets that systemd opened and handed over at the start (sd_listen_fds(3)): ports
// below 1024 without a capability.
#pragma once

#include <cstdint>

namespace gateway::daemon {

/// The socket handed over that listens on this port, still the process's own: whoever uses it takes
/// a duplicate. -1: none was. From any thread.
int handed_socket(std::uint16_t port);

}  // namespace gateway::daemon
