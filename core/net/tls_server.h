// The server's side of TLS, for whoever serves a protocol of its own on blocking threads: 1.2 and
// later, forward-secret AEAD suites (BCP 195, RFC 9325), client certificates where a CA for them is
// named. HTTPS has core/net/https_server.h.
#pragma once

#include <memory>
#include <string>

#include "core/net/tls_line.h"
#include "core/result.h"

namespace gateway::core::net {

struct TlsServerFiles {
  std::string certificate_file;  // PEM chain
  std::string key_file;          // PEM, no passphrase
  std::string client_ca_file;    // PEM; a certificate shown must be of this CA. Empty: none asked
};

/// Suites of TLS 1.2, in the form of OpenSSL; those of 1.3 are all good.
inline constexpr char kForwardSecretSuites[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
/// The same with those of DICOM's BCP 195 profile (PS3.15 B.9), for peers without elliptic curves.
inline constexpr char kProfileSuites[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM";

/// Sets a server's context up. Code::invalid names the file that cannot be used.
Status prepare_tls_server(ssl_ctx_st* context, const TlsServerFiles& files, const char* suites);

/// Thread-safe; outlives its lines.
class TlsServer {
 public:
  /// With a CA for clients, a client without a certificate of it is refused.
  static Result<std::unique_ptr<TlsServer>> create(const TlsServerFiles& files);
  virtual ~TlsServer() = default;
  /// The socket stays the caller's, and is in no particular mode. Null: out of memory.
  virtual std::unique_ptr<TlsLine> take(int socket) = 0;
};

}  // namespace gateway::core::net
