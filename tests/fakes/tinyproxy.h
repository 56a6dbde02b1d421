// Debian's tinyproxy as the test's HTTP proxy, with a user of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "tests/fakes/certificates.h"

namespace gateway::fakes {

class Tinyproxy {
 public:
  static bool installed();
  static constexpr char kUsername[] = "clinic";
  static constexpr char kPassword[] = "behind-the-wall";

  /// Lets tunnels through to this port alone; waits until it listens.
  Tinyproxy(const TestFolder& folder, std::uint16_t allowed_port);
  Tinyproxy(const Tinyproxy&) = delete;
  Tinyproxy& operator=(const Tinyproxy&) = delete;
  ~Tinyproxy();

  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

}  // namespace gateway::fakes
