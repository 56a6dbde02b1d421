// A TLS client on loopback that blocks, for at most 20 s a call. It shares no code with what it
// tests, and can do what no real client offers: stop in the middle of a handshake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/fakes/certificates.h"

// OpenSSL's own forward declarations.
using SSL_CTX = struct ssl_ctx_st;
using SSL = struct ssl_st;

namespace gateway::fakes {

/// A connected socket; whoever asks closes it. -1: nobody listens.
int dial_loopback(std::uint16_t port);

class TlsClient {
 public:
  /// Trusts `ca_file` alone, shows `identity` where there is one.
  TlsClient(std::uint16_t port, const std::string& ca_file,
            const std::optional<CertificateFiles>& identity = std::nullopt);
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient();

  /// In TLS 1.3 that the server refuses our certificate shows only when something is read.
  bool shook_hands() const { return shook_hands_; }
  bool say(std::string_view bytes);
  /// What comes up to and with `end`; empty: the connection ended before.
  std::string hear(std::string_view end);

 private:
  int socket_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* tls_ = nullptr;
  bool shook_hands_ = false;
  std::string heard_;
};

}  // namespace gateway::fakes
