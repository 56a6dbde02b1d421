// A loopback relay to one port, to cut what runs through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace gateway::fakes {

class TcpRelay {
 public:
  explicit TcpRelay(std::uint16_t target);
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;
  ~TcpRelay();

  std::uint16_t port() const { return port_; }
  /// Resets every connection; new ones are taken again.
  void cut();

 private:
  void accept_all();
  void pump(int from, int to);

  std::uint16_t target_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::mutex mutex_;
  std::vector<int> open_;  // guarded by mutex_; closed at the end, so that no number is used twice
  std::vector<std::thread> threads_;  // guarded by mutex_
  std::thread acceptor_;
};

}  // namespace gateway::fakes
