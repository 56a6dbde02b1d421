// A device's end of a plain connection on loopback, which blocks.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gateway::fakes {

/// Reads wait at most 20 s.
class DeviceLine {
 public:
  explicit DeviceLine(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      ADD_FAILURE() << "no connection";
  }
  /// The end of a device that is called: the next call to its `listener`, within 20 s.
  static DeviceLine called(int listener) { return DeviceLine(listener, Called()); }
  ~DeviceLine() { ::close(socket_); }
  DeviceLine(const DeviceLine&) = delete;
  DeviceLine& operator=(const DeviceLine&) = delete;

  void say(const std::string& bytes) const {
    EXPECT_EQ(::write(socket_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  /// What comes, up to and with `end`.
  std::string hear(std::string_view end) {
    while (heard_.find(end) == heard_.npos) {
      pollfd waiting{socket_, POLLIN, 0};
      char bytes[4096];
      if (::poll(&waiting, 1, kWaitMs) != 1) return "nothing came";
      const ssize_t count = ::read(socket_, bytes, sizeof bytes);
      if (count <= 0) return "the connection ended";
      heard_.append(bytes, static_cast<std::size_t>(count));
    }
    std::string said = heard_.substr(0, heard_.find(end) + end.size());
    heard_.erase(0, said.size());
    return said;
  }

 private:
  struct Called {};
  DeviceLine(int listener, Called /*unused*/) : socket_(next_call(listener)) {
    if (socket_ < 0) ADD_FAILURE() << "nobody called";
  }
  static int next_call(int listener) {
    pollfd waiting{listener, POLLIN, 0};
    return ::poll(&waiting, 1, kWaitMs) == 1 ? ::accept(listener, nullptr, nullptr) : -1;
  }

  static constexpr int kWaitMs = 20'000;
  const int socket_;
  std::string heard_;
};

}  // namespace gateway::fakes
