// The client's side of a WebSocket (RFC 6455) over a connection of core/net/connection.h.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/net/connection.h"
#include "core/net/http.h"
#include "core/net/url.h"

namespace gateway::core::net {

/// Use from one loop thread, one send and one receive at a time. The server is asked for a sign of
/// life where it says nothing for 25 s; after as long again without one the connection has ended.
/// Errors: Code::unavailable when the connection ended, Code::refused where what came is no
/// WebSocket message or larger than kMessageMax, Code::cancelled after close().
class WebSocket {
 public:
  static constexpr std::size_t kMessageMax = 64 * 1024;

  WebSocket() = default;
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  virtual ~WebSocket() = default;
  /// One text message, UTF-8.
  virtual Awaitable<Status> send(std::string text) = 0;
  /// The next message.
  virtual Awaitable<Result<std::string>> receive() = 0;
  /// Ends what waits.
  virtual void close() = 0;
};

/// Shakes hands (RFC 6455 4.1) over an open connection, which is the socket's from then on.
/// `request`: target and headers. Code::refused with the server's status where it declines.
Awaitable<Result<std::shared_ptr<WebSocket>>> upgrade_to_web_socket(
    boost::asio::any_io_executor loop, std::shared_ptr<Connection> connection, Url url,
    HttpRequest request, std::string authorization);

}  // namespace gateway::core::net
