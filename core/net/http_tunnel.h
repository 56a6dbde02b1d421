// A tunnel to a server through an HTTP proxy (CONNECT, RFC 9110 9.3.6), without a socket: TLS goes
// through it end to end, so the proxy sees the server's name and port and nothing else.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/net/http_wire.h"
#include "core/net/url.h"
#include "core/result.h"

namespace gateway::core::net {

struct HttpProxy {
  Url url;                    // of the proxy: http://HOST:PORT, nothing behind
  std::string authorization;  // a header value, empty for none
};

/// `url`: http://HOST:PORT; `username` empty: none. Code::invalid.
Result<HttpProxy> read_proxy(std::string_view url, std::string_view username,
                             std::string_view password);

std::string tunnel_request(const HttpProxy& proxy, const Url& server);

/// The proxy's answer, put together from bytes as they arrive.
class TunnelAnswer {
 public:
  TunnelAnswer(const HttpProxy& proxy, const Url& server) : proxy_(proxy), server_(server) {}
  /// True: the tunnel is open. Code::unavailable: the proxy refused, or is none; what to do about
  /// it. Never give it more than it asks for by bytes_wanted(): what follows is the server's.
  Result<bool> take(std::string_view bytes);
  static constexpr std::size_t bytes_wanted() { return 1; }

 private:
  static constexpr std::size_t kAnswerMax = 16U << 10;

  const HttpProxy& proxy_;
  const Url& server_;
  ResponseReader reader_{true, 0};
  std::size_t taken_ = 0;
};

}  // namespace gateway::core::net
