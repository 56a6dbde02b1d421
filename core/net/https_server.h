// HTTP/1.1 over TLS for clients of the clinic's network (RFC 9110, 9112): TLS 1.2 and later,
// forward-secret AEAD ciphers, client certificates where a CA for them is named. Bounded: head
// 16 KiB, body, connections, all bodies being held at once, and the time each step may take.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/http.h"

namespace gateway::core::net {

/// Who asks. The names are those of a certificate that was verified: common name, then DNS names.
struct HttpPeer {
  std::string address;
  std::vector<std::string> names;
};

/// A request's body as it arrives, for whoever does not want it whole in memory.
class BodyArrival {
 public:
  virtual ~BodyArrival() = default;
  /// The next piece; empty: the end. Code::unavailable: the peer is gone or has stalled, and no
  /// more comes. Awaited on the connection's executor, never twice at once; when the server ends it
  /// is dropped where it waits.
  virtual Awaitable<Result<std::string>> next() = 0;
};

/// Runs on one of the server's threads, several at once. Must not throw; what does is answered 500.
using HttpsHandler = std::function<Awaitable<HttpResponse>(HttpRequest, const HttpPeer&)>;
/// The same for a body that is taken as it arrives; where some of it is left the connection closes.
using ArrivingHandler =
    std::function<Awaitable<HttpResponse>(HttpRequest, const HttpPeer&, BodyArrival&)>;

struct HttpsServerOptions {
  std::string address = "0.0.0.0";
  std::uint16_t port = 0;        // 0: any free one
  int listening = -1;            // a socket that listens on it already: duplicated, then used
  std::string certificate_file;  // PEM chain
  std::string key_file;          // PEM, no passphrase
  std::string client_ca_file;    // PEM; a certificate shown must be of this CA. Empty: none asked
  std::size_t connections_max = 64;      // the next one is closed at once
  std::uint64_t body_max = 16u << 20;    // 413
  std::uint64_t bodies_max = 64u << 20;  // of all requests at work; then 503
  /// True for a target whose requests go to `arriving` instead, bodies of any length.
  std::function<bool(std::string_view target)> arrives = {};
  ArrivingHandler arriving = {};
  Milliseconds step_timeout{30'000};   // handshake, reading a request, taking an answer
  Milliseconds idle_timeout{120'000};  // between two requests
  unsigned threads = 2;
  /// What the server itself refuses (400, 413, 431, 500, 503), as the handler would say it; runs on
  /// one of the threads. Empty: as plain text.
  std::function<HttpResponse(int status, std::string_view text)> refuse = {};
};

class HttpsServer {
 public:
  /// Reads the files and begins to listen. Code::invalid names the file that cannot be used;
  /// Code::io: the port.
  static Result<std::unique_ptr<HttpsServer>> listen(const HttpsServerOptions& options,
                                                     HttpsHandler handler);
  /// Ends the connections and joins the threads; a handler that blocks is waited for.
  virtual ~HttpsServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
};

}  // namespace gateway::core::net
