// A scripted server on loopback: plain or TLS, blocking, one thread per connection. It shares no
// code with what it tests, and can do what no real server offers: stop reading, cut an answer
// short, reset a connection.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/certificates.h"

// OpenSSL's own forward declarations.
using SSL_CTX = struct ssl_ctx_st;
using SSL = struct ssl_st;

namespace gateway::fakes {

struct ServedRequest {
  std::string head;  // with the empty line
  std::string body;
};

/// One accepted connection, for the script. Calls block; they end when the server goes away.
class ServedConnection {
 public:
  ServedConnection(int fd, SSL* tls) : fd_(fd), tls_(tls) {}
  ServedConnection(const ServedConnection&) = delete;
  ServedConnection& operator=(const ServedConnection&) = delete;
  ~ServedConnection();

  /// A whole request by its Content-Length; nullopt when the peer is gone.
  std::optional<ServedRequest> read_request();
  /// Only the head; what follows stays unread.
  std::optional<std::string> read_head();
  /// At least one byte, or empty at the end.
  std::string read_some();
  bool write(const std::string& bytes);
  /// "HTTP/1.1 200 OK" with this body, and `headers` (each ending in CRLF).
  bool answer(const std::string& body, const std::string& headers = "");
  void wait_for_peer_to_close();
  /// Leaves what comes in the kernel's buffer, until the server goes away.
  void stop_reading();
  /// Ends with a TCP reset instead of an orderly close.
  void reset_on_close();
  /// 0 for the server's first connection.
  int number = 0;

 private:
  int fd_;
  SSL* tls_;
  std::string buffered_;
};

struct TlsServerOptions {
  std::optional<CertificateFiles> certificate{};  // none: plain
  std::string client_ca_file{};                   // clients must show a certificate of this CA
};

class TlsServer {
 public:
  using Script = std::function<void(ServedConnection&)>;
  TlsServer(TlsServerOptions options, Script script);
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer();

  std::uint16_t port() const { return port_; }
  /// Connections accepted so far.
  int connections() const { return connections_; }
  /// Connections whose script still runs; the others are closed.
  std::size_t open_connections();

 private:
  void accept_all();
  void serve(int fd, int number);

  Script script_;
  SSL_CTX* context_ = nullptr;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<int> open_;             // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
  bool stopping_ = false;             // guarded by mutex_
  std::thread acceptor_;
};

/// Listens on a free loopback port; nobody accepts.
int listen_on_loopback(std::uint16_t& port);
bool listens_on_loopback(std::uint16_t port);

}  // namespace gateway::fakes
