// One TLS connection over a socket somebody else owns, for whoever speaks a protocol of its own on
// blocking threads: as server (core/net/tls_server.h) or as client (core/net/tls_context.h).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct ssl_ctx_st;

namespace gateway::core::net {

/// One end of a connection. Never waits: what would is answered as what to wait for. One thread at
/// a time.
class TlsLine {
 public:
  enum class What { moved, wants_to_read, wants_to_write, closed, failed };
  struct Step {
    What what = What::failed;
    std::size_t bytes = 0;  // with `moved`
  };
  virtual ~TlsLine() = default;
  virtual Step shake_hands() = 0;
  virtual Step read(std::span<std::byte> bytes) = 0;
  virtual Step write(std::span<const std::byte> bytes) = 0;
  /// Bytes that came already and wait to be read.
  virtual bool has_pending() const = 0;
  /// Says goodbye, if that needs no waiting.
  virtual void close() = 0;
  /// Why the last step failed, for a person.
  virtual const std::string& reason() const = 0;
};

enum class TlsEnd { server, client };

/// The socket stays the caller's, and is in no particular mode; `context` stays alive as long as
/// the line. `server_name`: the DNS name a client asks for (RFC 6066 3); empty: none. Null: out of
/// memory.
std::unique_ptr<TlsLine> make_tls_line(ssl_ctx_st* context, int socket, TlsEnd end,
                                       const std::string& server_name = {});

}  // namespace gateway::core::net
