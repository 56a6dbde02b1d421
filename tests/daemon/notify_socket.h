// What systemd would hear of a daemon whose NOTIFY_SOCKET this is.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "daemon_process.h"

namespace gateway::daemon {

class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~NotifySocket() { ::close(socket_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  bool hears(const std::string& text, int seconds) {
    return holds_within(seconds, [&] {
      char buffer[4096];
      ssize_t size = 0;
      while ((size = ::recv(socket_, buffer, sizeof buffer, 0)) > 0) {
        heard_.append(buffer, static_cast<std::size_t>(size)) += '\n';
      }
      return heard_.find(text) != std::string::npos;
    });
  }
  void forget() { heard_.clear(); }

 private:
  int socket_;
  std::string heard_;
};

}  // namespace gateway::daemon
