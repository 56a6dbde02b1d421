// libmosquitto goes through SOCKS5 proxies but knows no HTTP ones. This is a SOCKS5 server (RFC
// 1928, 1929) on loopback for one caller of this process, whose one connection it carries through
// an HTTP proxy's tunnel. TLS goes through both end to end, with the broker's own name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/net/http_tunnel.h"
#include "core/result.h"

namespace gateway::core::net {

/// `url`: socks5://HOST:PORT, nothing behind. Code::invalid.
Result<Url> read_socks_proxy(std::string_view url);

class SocksBridge {
 public:
  /// Where it leads, whatever the caller asks for: the server's host and port. Code::unavailable:
  /// no socket or thread.
  static Result<std::unique_ptr<SocksBridge>> open(HttpProxy proxy, Url server);
  SocksBridge(const SocksBridge&) = delete;
  SocksBridge& operator=(const SocksBridge&) = delete;
  /// Ends what runs through it.
  virtual ~SocksBridge() = default;

  virtual std::uint16_t port() const = 0;
  /// Only who knows it is carried; the user name may be any.
  virtual const std::string& password() const = 0;
  /// Why the tunnel did not open, for people; empty while nothing is wrong. From any thread.
  virtual std::string failure() const = 0;

 protected:
  SocksBridge() = default;
};

}  // namespace gateway::core::net
