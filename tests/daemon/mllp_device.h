// An HL7 device on a real socket.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace gateway::daemon {

/// One MLLP connection of a device; reads wait at most 20 s.
class MllpDevice {
 public:
  explicit MllpDevice(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~MllpDevice() { ::close(socket_); }
  MllpDevice(const MllpDevice&) = delete;
  MllpDevice& operator=(const MllpDevice&) = delete;

  bool connected() const { return connected_; }
  /// The answer's frame; empty when the connection ended without one.
  std::string send(const std::string& message) const {
    const std::string framed = "\x0b" + message + "\x1c\r";
    if (::send(socket_, framed.data(), framed.size(), MSG_NOSIGNAL) < 0) return {};
    std::string answer;
    char byte = 0;
    while (!answer.ends_with("\x1c\r") && ::recv(socket_, &byte, 1, 0) == 1) answer += byte;
    return answer;
  }

 private:
  int socket_;
  bool connected_ = false;
};

}  // namespace gateway::daemon
