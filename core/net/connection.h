// One TCP connection to a server, plain or TLS, with a watchdog: it ends a connection on which
// nothing moves, so that a link that swallows packets is noticed. Bytes the kernel still holds
// count as moving while the peer acknowledges them. Use from one loop thread, one reader and one
// writer at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/net/http.h"
#include "core/net/http_tunnel.h"
#include "core/net/send_pace.h"
#include "core/net/tls_context.h"
#include "core/net/url.h"

namespace gateway::core::net {

class Connection {
 public:
  /// How it gets to the server; what is pointed to outlives the connection.
  struct Way {
    TlsContext* tls = nullptr;         // null: plain
    const HttpProxy* proxy = nullptr;  // null: straight
    SendPace* pace = nullptr;          // null: as fast as it goes
  };
  /// Not yet open.
  static std::shared_ptr<Connection> create(boost::asio::any_io_executor loop, const Url& url,
                                            const Way& way);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  /// Resolves, connects (each address in turn), asks a proxy for its tunnel and shakes hands, all
  /// within `timeout`.
  /// Code::unavailable, untrusted or cancelled.
  virtual Awaitable<Status> open(Milliseconds timeout) = 0;

  /// Why reading or writing ended.
  enum class End { none, peer_closed, failed, timed_out, cancelled, untrusted };
  struct Moved {
    std::size_t bytes = 0;
    End end = End::none;
    bool cleanly = false;  // with peer_closed: not cut off
    std::string reason;    // for people, without the peer's name
  };
  virtual Awaitable<Moved> read_some(std::span<char> bytes) = 0;
  virtual Awaitable<Moved> write_some(std::string_view bytes) = 0;

  /// From now on the connection is closed when nothing moves for `idle`, or less than 256 bytes a
  /// second over ten times that.
  virtual void watch(Milliseconds idle) = 0;
  /// Nothing is expected any more: closed after `keep` unless watch() is called again.
  virtual void rest(Milliseconds keep) = 0;
  /// True when the peer has closed a resting connection, or sent what nobody asked for.
  virtual bool stale() = 0;
  /// Ends running reads and writes with End::cancelled.
  virtual void close() = 0;

 protected:
  Connection() = default;
};

}  // namespace gateway::core::net
