#include "tests/fakes/tcp_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fakes/tls_server.h"

namespace gateway::fakes {
namespace {

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

TcpRelay::TcpRelay(std::uint16_t target) : target_(target), listener_(listen_on_loopback(port_)) {
  acceptor_ = std::thread([this] { accept_all(); });
}

TcpRelay::~TcpRelay() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  cut();
  for (auto& thread : threads_) thread.join();
  for (const int fd : open_) ::close(fd);
  ::close(listener_);
}

void TcpRelay::cut() {
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
}

void TcpRelay::accept_all() {
  for (;;) {
    const int near = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (near < 0) return;
    const int far = connect_to(target_);
    const std::lock_guard lock(mutex_);
    open_.push_back(near);
    if (far < 0) {
      ::shutdown(near, SHUT_RDWR);
      continue;
    }
    open_.push_back(far);
    threads_.emplace_back([this, near, far] { pump(near, far); });
    threads_.emplace_back([this, near, far] { pump(far, near); });
  }
}

void TcpRelay::pump(int from, int to) {
  char bytes[16 * 1024];
  for (;;) {
    const auto count = ::recv(from, bytes, sizeof bytes, 0);
    if (count <= 0) break;
    for (ssize_t at = 0; at < count;) {
      const auto sent = ::send(to, bytes + at, static_cast<std::size_t>(count - at), MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += sent;
    }
  }
  ::shutdown(to, SHUT_WR);
}

}  // namespace gateway::fakes
