#include "core/net/tls_line.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "core/net/openssl_reason.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

// OpenSSL's own socket BIO waits on a socket that blocks, and raises SIGPIPE.
template <class Move>
int step_of(BIO* bio, int retry, Move move) {
  BIO_clear_retry_flags(bio);
  int socket = -1;
  (void)BIO_get_fd(bio, &socket);
  ssize_t moved = -1;
  do {
    moved = move(socket);
  } while (moved < 0 && errno == EINTR);
  if (moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_flags(bio, retry);
  return static_cast<int>(moved);
}
int read_socket(BIO* bio, char* bytes, int size) {
  return step_of(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY, [&](int socket) {
    return ::recv(socket, bytes, static_cast<std::size_t>(size), MSG_DONTWAIT);
  });
}
int write_socket(BIO* bio, const char* bytes, int size) {
  return step_of(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY, [&](int socket) {
    return ::send(socket, bytes, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}
long control_socket(BIO* bio, int command, long number, void* pointer) {
  switch (command) {
    case BIO_C_SET_FD:
      // The number itself, as OpenSSL's own socket BIO keeps it.
      // NOLINTNEXTLINE(performance-no-int-to-ptr)
      BIO_set_data(bio, reinterpret_cast<void*>(
                            static_cast<std::intptr_t>(*static_cast<const int*>(pointer))));
      BIO_set_init(bio, 1);
      BIO_set_shutdown(bio, static_cast<int>(number));
      return 1;
    case BIO_C_GET_FD:
      *static_cast<int*>(pointer) =
          static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
      return 1;
    case BIO_CTRL_FLUSH:
      return 1;
    default:
      return 0;
  }
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "unwaiting socket");
    if (made == nullptr) return made;
    BIO_meth_set_read(made, read_socket);
    BIO_meth_set_write(made, write_socket);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}

int length_of(std::size_t bytes) { return static_cast<int>(std::min<std::size_t>(bytes, INT_MAX)); }

class Line final : public TlsLine {
 public:
  explicit Line(SSL* connection) : connection_(connection) {}
  ~Line() override { SSL_free(connection_); }

  Step shake_hands() override {
    return step([this] { return SSL_do_handshake(connection_); });
  }
  Step read(std::span<std::byte> bytes) override {
    return step([&] { return SSL_read(connection_, bytes.data(), length_of(bytes.size())); });
  }
  Step write(std::span<const std::byte> bytes) override {
    return step([&] { return SSL_write(connection_, bytes.data(), length_of(bytes.size())); });
  }
  bool has_pending() const override { return SSL_pending(connection_) > 0; }
  void close() override {
    // After a failure OpenSSL must not be asked to say anything more.
    if (!failed_ && SSL_is_init_finished(connection_) == 1) (void)SSL_shutdown(connection_);
    ERR_clear_error();
  }
  const std::string& reason() const override { return reason_; }

 private:
  template <class Move>
  Step step(Move move) {
    ERR_clear_error();
    const int moved = move();
    if (moved > 0) return {What::moved, static_cast<std::size_t>(moved)};
    switch (SSL_get_error(connection_, moved)) {
      case SSL_ERROR_WANT_READ:
        return {What::wants_to_read, 0};
      case SSL_ERROR_WANT_WRITE:
        return {What::wants_to_write, 0};
      case SSL_ERROR_ZERO_RETURN:
        return {What::closed, 0};
      case SSL_ERROR_SYSCALL:
        return fail("the other end hung up");
      default:
        return fail(openssl_reason());
    }
  }

  Step fail(std::string reason) {
    failed_ = true;
    // OpenSSL's own word for it is only that the verification failed.
    const long verdict = SSL_get_verify_result(connection_);
    if (verdict != X509_V_OK) reason += cat(" (", X509_verify_cert_error_string(verdict), ")");
    reason_ = std::move(reason);
    return {What::failed, 0};
  }

  SSL* connection_;
  bool failed_ = false;
  std::string reason_;
};

}  // namespace

std::unique_ptr<TlsLine> make_tls_line(ssl_ctx_st* context, int socket, TlsEnd end,
                                       const std::string& server_name) {
  SSL* const connection = SSL_new(context);
  BIO* const bio = socket_method() == nullptr ? nullptr : BIO_new(socket_method());
  if (connection == nullptr || bio == nullptr) {
    SSL_free(connection);
    BIO_free(bio);
    return nullptr;
  }
  (void)BIO_set_fd(bio, socket, BIO_NOCLOSE);
  SSL_set_bio(connection, bio, bio);
  SSL_set_mode(connection, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
  if (end == TlsEnd::server) {
    SSL_set_accept_state(connection);
  } else {
    SSL_set_connect_state(connection);
  }
  if (!server_name.empty()) SSL_set_tlsext_host_name(connection, server_name.c_str());
  return std::make_unique<Line>(connection);
}

}  // namespace gateway::core::net
