#include "adapters/dicom/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;

Error bind_error(int number, const std::string& address, const ListenPort& port) {
  switch (number) {
    case EADDRINUSE:
      return Error(Code::busy, cat(port.key, " ", port.number, " on ", address,
                                   " is in use by another program; stop it or set another port"));
    case EACCES:
      return Error(Code::invalid,
                   cat(port.key, " ", port.number,
                       " needs a privilege the gateway does not have; set one above 1023"));
    case EADDRNOTAVAIL:
      return Error(Code::invalid,
                   cat("dicom.bind ", address,
                       " is no address of this machine; set one that is, or 0.0.0.0 for all"));
    default:
      return Error(Code::io, cat(port.key, " ", port.number, " on ", address,
                                 " cannot be opened: ", std::strerror(number)));
  }
}

std::uint16_t bound_port(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return address.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port)
                                       : ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// The number of the error that stopped it, 0 when it listens.
int bind_and_listen(int socket, const addrinfo& address) {
  const int on = 1;
  const bool listening = ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                         ::bind(socket, address.ai_addr, address.ai_addrlen) == 0 &&
                         ::listen(socket, 64) == 0;
  return listening ? 0 : errno;
}

std::string numeric_address(const sockaddr_storage& address, socklen_t size) {
  char text[NI_MAXHOST];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text, sizeof text, nullptr,
                    0, NI_NUMERICHOST) != 0) {
    return "unknown";
  }
  return text;
}

// A socket that listens.
core::Result<int> listen_at(const std::string& bind_address, const ListenPort& port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(bind_address.c_str(), std::to_string(port.number).c_str(), &hints, &found) !=
      0) {
    return Error(Code::invalid, cat("dicom.bind \"", bind_address,
                                    "\" is not an IP address; set one, or 0.0.0.0 for all"));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
  const int socket = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return bind_error(errno, bind_address, port);
  const int problem = bind_and_listen(socket, *address);
  if (problem == 0) return socket;
  ::close(socket);
  return bind_error(problem, bind_address, port);
}

}  // namespace

core::Result<Listener> Listener::open(const std::string& bind_address,
                                      const std::vector<ListenPort>& ports) {
  const int waker = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (waker < 0) return bind_error(errno, bind_address, ports.front());
  Listener listener(waker);
  for (const ListenPort& port : ports) {
    GW_TRY(const int socket, listen_at(bind_address, port));
    listener.doors_.push_back({socket, bound_port(socket)});
  }
  return listener;
}

Listener::Listener(Listener&& other) noexcept
    : doors_(std::exchange(other.doors_, {})), waker_(std::exchange(other.waker_, -1)) {}

Listener::~Listener() {
  for (const Door& door : doors_) ::close(door.socket);
  if (waker_ >= 0) ::close(waker_);
}

Listener::Accepted Listener::accept(core::Milliseconds wait) {
  std::vector<pollfd> waits{{waker_, POLLIN, 0}};
  for (const Door& door : doors_) waits.push_back({door.socket, POLLIN, 0});
  if (::poll(waits.data(), waits.size(), static_cast<int>(wait.count())) <= 0) return {};
  Accepted woken;
  woken.what = Accepted::What::woken;
  if ((waits[0].revents & POLLIN) != 0) return woken;
  std::size_t at = 0;
  while (waits[at + 1].revents == 0) ++at;
  return take_connection(at);
}

Listener::Accepted Listener::take_connection(std::size_t at) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int socket =
      ::accept4(doors_[at].socket, reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC);
  if (socket < 0) {
    // Out of descriptors or memory: the connection stays pending, so poll would spin. A peer that
    // went away meanwhile needs no pause.
    const bool starved = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
    pollfd wait{waker_, POLLIN, 0};
    if (starved) ::poll(&wait, 1, 200);
    return {};
  }
  const int on = 1;
  // Without it each answer waits 40 ms for the peer's delayed ACK, as DCMTK writes every PDU twice.
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  return {Accepted::What::connection, socket, at, numeric_address(address, size)};
}

void Listener::wake() {
  const std::uint64_t one = 1;
  // An eventfd takes the first write always; a full one has woken already.
  (void)!::write(waker_, &one, sizeof one);
}

}  // namespace gateway::adapters::dicom
