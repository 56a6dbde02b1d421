// The listening socket. Not DCMTK's: that one binds every address and reads from new peers in the
// accepting thread.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// accept() on one thread; wake() from any.
class Listener {
 public:
  /// Code::busy when the port is taken, Code::invalid when the address cannot be bound here; the
  /// sentence says which key to change.
  static core::Result<Listener> open(const std::string& bind_address, std::uint16_t port);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  std::uint16_t port() const { return port_; }

  struct Accepted {
    enum class What { connection, nothing, woken } what = What::nothing;
    int socket = -1;  // of a connection: the caller's to close. Close-on-exec, TCP_NODELAY.
    std::string peer_address;  // numeric
  };
  /// Waits for a connection, for wake(), or for `wait` to pass.
  Accepted accept(core::Milliseconds wait);
  /// accept() answers `woken` now and ever after.
  void wake();

 private:
  Listener(int socket, int waker, std::uint16_t port)
      : socket_(socket), waker_(waker), port_(port) {}
  Accepted take_connection();

  int socket_;
  int waker_;  // an eventfd
  std::uint16_t port_;
};

}  // namespace gateway::adapters::dicom
