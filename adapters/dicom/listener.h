// The listening socket. Not DCMTK's: that one binds every address and reads from new peers in the
// accepting thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// Where it listens, and the key of the settings that says so.
struct ListenPort {
  const char* key = "dicom.port";
  std::uint16_t number = 0;  // 0: any free one
};

/// accept() on one thread; wake() from any.
class Listener {
 public:
  /// Listens at each port. Code::busy when one is taken, Code::invalid when the address cannot be
  /// bound here; the sentence says which key to change.
  static core::Result<Listener> open(const std::string& bind_address,
                                     const std::vector<ListenPort>& ports);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  std::uint16_t port(std::size_t at) const { return doors_[at].port; }

  struct Accepted {
    enum class What { connection, nothing, woken } what = What::nothing;
    int socket = -1;     // of a connection: the caller's to close. Close-on-exec, TCP_NODELAY.
    std::size_t at = 0;  // which of the ports
    std::string peer_address;  // numeric
  };
  /// Waits for a connection, for wake(), or for `wait` to pass.
  Accepted accept(core::Milliseconds wait);
  /// accept() answers `woken` now and ever after.
  void wake();

 private:
  struct Door {
    int socket = -1;
    std::uint16_t port = 0;
  };
  explicit Listener(int waker) : waker_(waker) {}
  Accepted take_connection(std::size_t at);

  std::vector<Door> doors_;
  int waker_;  // an eventfd
};

}  // namespace gateway::adapters::dicom
