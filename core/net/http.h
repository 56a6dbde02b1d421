// HTTP/1.1 messages as plain values, and the client and server built on them (RFC 9110, 9112).
// Beast stays inside core/net/.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::core::net {

template <class T>
using Awaitable = boost::asio::awaitable<T>;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A request body that is produced while it is sent. Used from the loop thread only; each read
/// should be short. An error of read() ends the send with that error and costs the connection.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Total bytes (sent as Content-Length).
  virtual std::uint64_t size() const = 0;
  /// Fills `bytes` from where it stands; 0 at the end.
  virtual Result<std::size_t> read(std::span<std::byte> bytes) = 0;
};

/// Takes an answer's body as it arrives, so that a large one is never in memory. Used from the loop
/// thread only. An error of write() ends the request with that error and costs the connection.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual Status write(std::span<const std::byte> bytes) = 0;
};

struct HttpRequest {
  std::string method = "GET";
  /// Client: path and query below the base URL, starting with '/' or '?'. Server: as received.
  std::string target;
  Headers headers;
  std::string body;
  std::unique_ptr<BodySource> source;  // HttpClient: used instead of body when set
  /// HttpClient: gets the body of a 2xx answer, of any size, and HttpResponse::body stays empty;
  /// whether the answer came whole is known only when send() has returned. It is borrowed.
  BodySink* sink = nullptr;
};

/// HttpsServer: a body that is made while it is sent, piece by piece, e.g. server-sent events.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  /// The next piece; empty: the end. Awaited on the connection's executor, never twice at once.
  /// When the server ends it is dropped wherever it waits.
  virtual Awaitable<std::string> next() = 0;
};

struct HttpResponse {
  int status = 0;
  Headers headers;
  std::string body;
  /// HttpsServer: sent in chunks instead of the body; the connection closes after it.
  std::shared_ptr<BodyStream> stream = {};

  /// First header of that name, case-insensitive; empty when absent.
  std::string_view header(std::string_view name) const;
};

struct HttpClientOptions {
  /// "https://host[:port][/base]"; http:// only for loopback and where `plain_allowed`.
  std::string url;
  bool plain_allowed = false;
  /// PEM, trusted as it stands (a root, or the server's own certificate); empty: the system's
  /// store. Host names are always verified, against the subject alternative names only (RFC
  /// 9110 4.3.4).
  std::string ca_file;
  std::string certificate_file;  // client certificate, PEM chain; empty: none
  std::string key_file;
  std::string username;  // Basic authentication when not empty
  std::string password;
  /// "http://HOST:PORT" of a proxy that is asked for a tunnel to the server (CONNECT); it then
  /// looks up the server's name. Empty: none.
  std::string proxy;
  std::string proxy_username;  // Basic authentication at the proxy when not empty
  std::string proxy_password;
  /// Of all connections together, counted before TLS; 0: as fast as it goes.
  std::uint64_t send_bytes_per_second = 0;
  Milliseconds connect_timeout{10'000};  // name look-up, TCP, proxy and TLS together
  /// Nothing moved either way; bytes that the peer's TCP acknowledges count as moving. Nor may an
  /// exchange crawl: 256 bytes a second over ten times this.
  Milliseconds idle_timeout{60'000};
  std::size_t response_max = 64u << 20;
  /// Connections in use at once; further sends wait their turn, up to 256 of them.
  std::size_t connections_max = 4;
};

class WebSocket;  // core/net/web_socket.h

/// A client of one server. Use from one loop thread; gone before its loop. HTTP status codes are
/// answers, not errors; an answer that comes before the body is all sent (401, 413) is one too.
/// Errors name the server, never the target (it may hold a patient's or study's id):
/// - Code::unavailable: not reached, certainly not processed;
/// - Code::lost_answer: some of the request went out, no whole answer came;
/// - Code::untrusted: a certificate, the server's or ours; which check failed and what to do;
/// - Code::refused: the answer is too large or not HTTP;
/// - Code::invalid: URL, proxy, CA file, or a request that cannot be written down as HTTP;
/// - Code::busy: 256 sends wait already;
/// - Code::cancelled: close() was called. (Cancelling the awaiting coroutine ends it Asio's way.)
class HttpClient {
 public:
  static Result<std::shared_ptr<HttpClient>> create(boost::asio::any_io_executor loop,
                                                    HttpClientOptions options);
  virtual ~HttpClient() = default;
  /// A kept-alive connection that turns out to be closed before the first answer byte is retried
  /// once on a new one if and only if the method is safe (GET, HEAD); for other methods it is
  /// Code::lost_answer unless no request byte was written.
  virtual Awaitable<Result<HttpResponse>> send(HttpRequest request) = 0;
  /// A WebSocket at request.target, here a path of the server's own and not below the base URL,
  /// over a connection of its own beside connections_max; method and body of `request` are not
  /// used. Errors as send(), and those of upgrade_to_web_socket().
  virtual Awaitable<Result<std::shared_ptr<WebSocket>>> open_socket(HttpRequest request);
  /// Closes idle and running connections; waiting sends end with Code::cancelled.
  virtual void close() = 0;
  /// How long it took of late, at the least, to open a connection: two round trips with TLS 1.3,
  /// hardly more. Zero: none was opened yet.
  virtual Milliseconds opening_time() const { return Milliseconds(0); }
};

using HttpHandler = std::function<Awaitable<HttpResponse>(HttpRequest)>;

/// HTTP on a Unix socket, for the control socket. Bounded: request head 16 KiB, body 1 MiB, 16
/// connections (the next one is answered 503), 30 s to send a request or take an answer. How long a
/// handler works is the handler's affair; an exception out of it is answered 500.
class UnixHttpServer {
 public:
  /// Replaces a stale socket file; Code::exists when another process answers on it. Mode 0660.
  static Result<std::unique_ptr<UnixHttpServer>> listen(boost::asio::any_io_executor loop,
                                                        const std::string& path,
                                                        HttpHandler handler);
  virtual ~UnixHttpServer() = default;
  /// Closes the connections and removes the socket. A handler that runs already goes on to its end
  /// on the loop: what it uses must outlive that.
  virtual void close() = 0;
};

/// One blocking request over a Unix socket: the CLI's side (`source` is not used). Answers up to
/// 64 MiB. Code::unavailable: no daemon there, or no permission; Code::lost_answer: no whole
/// answer.
Result<HttpResponse> unix_http_request(const std::string& path, const HttpRequest& request,
                                       Milliseconds timeout);

/// Percent-encodes everything but RFC 3986 unreserved characters.
std::string url_encode(std::string_view text);

}  // namespace gateway::core::net
