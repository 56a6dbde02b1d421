#include "daemon/handed_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <algorithm>

namespace gateway::daemon {
namespace {

/// 0: not an IP socket.
std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  if (address.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  return 0;
}

}  // namespace

int handed_socket(std::uint16_t port) {
  static const int count = std::max(sd_listen_fds(0), 0);
  for (int socket = SD_LISTEN_FDS_START; socket < SD_LISTEN_FDS_START + count; ++socket) {
    if (port_of(socket) == port && sd_is_socket(socket, AF_UNSPEC, SOCK_STREAM, 1) > 0)
      return socket;
  }
  return -1;
}

}  // namespace gateway::daemon
