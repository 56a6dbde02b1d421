// What a TLS client of ours trusts and shows: TLS 1.2 and later, forward-secret AEAD ciphers, the
// server's chain checked against one CA file or the system's store, and its name against the
// subject alternative names (RFC 9110 4.3.4; a common name does not count). HTTP and MQTT share it,
// so that both say the same about a bad certificate.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/net/tls_line.h"
#include "core/result.h"

// OpenSSL's own forward declarations: its headers stay in the .cpp files.
using SSL_CTX = struct ssl_ctx_st;
using X509_STORE_CTX = struct x509_store_ctx_st;

namespace gateway::core::net {

struct TlsIdentity {
  std::string host;     // DNS name or IP address the certificate must be for
  std::string ca_file;  // PEM, trusted as it stands (roots, intermediates, leaves); empty: the
                        // system's store
  std::string certificate_file;  // client certificate, PEM chain; empty: none
  std::string key_file;          // its key, PEM, not passphrase-protected
};

/// For one host; used from one thread at a time. Files are read once, in create().
class TlsContext {
 public:
  /// Code::invalid names the file that cannot be used.
  static Result<std::unique_ptr<TlsContext>> create(TlsIdentity identity);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  /// Owned by this object; whoever keeps it longer takes a reference of its own.
  SSL_CTX* native() const { return context_; }
  /// A connection over `socket`, which stays the caller's, for who has no HTTP to speak; the
  /// context outlives it. Null: out of memory.
  std::unique_ptr<TlsLine> take(int socket) const;
  /// False once a file it was read from, or the system's store, is another one: time for a new one.
  bool is_current() const { return stamps_of(identity_) == stamps_; }
  /// Which check the last server certificate failed and what to do, once; empty when none failed
  /// since the last call.
  std::string take_failure();

 private:
  using FileStamp = std::array<std::int64_t, 5>;  // all zero: the file is not there
  static std::vector<FileStamp> stamps_of(const TlsIdentity& identity);
  TlsContext(TlsIdentity identity, SSL_CTX* context)
      : identity_(std::move(identity)), stamps_(stamps_of(identity_)), context_(context) {}
  static int verify(X509_STORE_CTX* store, void* self);
  Status load_trust();
  Status load_certificate();
  std::string describe(X509_STORE_CTX* store) const;

  TlsIdentity identity_;
  std::vector<FileStamp> stamps_;  // taken before the files are read
  SSL_CTX* context_;
  std::string failure_;
};

/// Why a handshake or the first read after it failed, from an OpenSSL error number.
struct TlsAlert {
  bool about_our_certificate = false;  // the peer wants a client certificate, or another one
  std::string text;
};
TlsAlert describe_tls_error(unsigned long openssl_error);

}  // namespace gateway::core::net
