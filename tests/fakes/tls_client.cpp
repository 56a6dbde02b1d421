#include "tests/fakes/tls_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace gateway::fakes {

int dial_loopback(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{20, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  ::close(socket);
  return -1;
}

TlsClient::TlsClient(std::uint16_t port, const std::string& ca_file,
                     const std::optional<CertificateFiles>& identity)
    : socket_(dial_loopback(port)), context_(SSL_CTX_new(TLS_client_method())) {
  // OpenSSL's own socket raises it where the server has hung up.
  std::signal(SIGPIPE, SIG_IGN);
  bool is_ready = SSL_CTX_load_verify_file(context_, ca_file.c_str()) == 1;
  if (identity) {
    is_ready = is_ready &&
               SSL_CTX_use_certificate_chain_file(context_, identity->certificate.c_str()) == 1 &&
               SSL_CTX_use_PrivateKey_file(context_, identity->key.c_str(), SSL_FILETYPE_PEM) == 1;
  }
  if (!is_ready) throw std::runtime_error("the test client cannot use its files");
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  tls_ = SSL_new(context_);
  SSL_set_fd(tls_, socket_);
  shook_hands_ = SSL_connect(tls_) == 1;
}

TlsClient::~TlsClient() {
  SSL_free(tls_);
  SSL_CTX_free(context_);
  ::close(socket_);
}

bool TlsClient::say(std::string_view bytes) {
  return SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

std::string TlsClient::hear(std::string_view end) {
  while (heard_.find(end) == heard_.npos) {
    char bytes[4096];
    const int count = SSL_read(tls_, bytes, sizeof bytes);
    if (count <= 0) return {};
    heard_.append(bytes, static_cast<std::size_t>(count));
  }
  std::string said = heard_.substr(0, heard_.find(end) + end.size());
  heard_.erase(0, said.size());
  return said;
}

}  // namespace gateway::fakes
