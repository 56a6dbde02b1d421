#include "core/net/tls_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/net/openssl_reason.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

Error unusable(std::string_view what, const std::string& file) {
  return {Code::invalid,
          cat("the ", what, " ", file, " cannot be used: ", openssl_reason(),
              "; it must be PEM, the key without a passphrase and of the certificate")};
}

// Without this OpenSSL would ask for a passphrase on the terminal of a daemon.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*unused*/) { return -1; }

class Server final : public TlsServer {
 public:
  Server() : context_(SSL_CTX_new(TLS_server_method())) {}
  ~Server() override { SSL_CTX_free(context_); }

  Status prepare(const TlsServerFiles& files) {
    if (context_ == nullptr) return Error(Code::internal, "no TLS context");
    GW_CHECK(prepare_tls_server(context_, files, kProfileSuites));
    SSL_CTX_set_dh_auto(context_, 1);
    if (!files.client_ca_file.empty())
      SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return {};
  }

  std::unique_ptr<TlsLine> take(int socket) override {
    return make_tls_line(context_, socket, TlsEnd::server);
  }

 private:
  SSL_CTX* context_;
};

}  // namespace

Status prepare_tls_server(ssl_ctx_st* context, const TlsServerFiles& files, const char* suites) {
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(
      context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_cipher_list(context, suites);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate_file.c_str()) != 1)
    return unusable("certificate", files.certificate_file);
  if (SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return unusable("key", files.key_file);
  }
  if (files.client_ca_file.empty()) return {};
  if (SSL_CTX_load_verify_file(context, files.client_ca_file.c_str()) != 1)
    return unusable("CA file for clients", files.client_ca_file);
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(files.client_ca_file.c_str()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // Sessions that are taken up again must be of this server.
  constexpr unsigned char session_name[] = "clinic-gateway";
  SSL_CTX_set_session_id_context(context, session_name, sizeof session_name - 1);
  return {};
}

Result<std::unique_ptr<TlsServer>> TlsServer::create(const TlsServerFiles& files) {
  auto server = std::make_unique<Server>();
  GW_CHECK(server->prepare(files));
  return std::unique_ptr<TlsServer>(std::move(server));
}

}  // namespace gateway::core::net
