#include "tests/fakes/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

namespace gateway::fakes {
namespace {

std::size_t content_length(const std::string& head) {
  const auto at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

SSL_CTX* server_context(const TlsServerOptions& options) {
  if (!options.certificate) return nullptr;
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  const bool loaded =
      SSL_CTX_use_certificate_chain_file(context, options.certificate->certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, options.certificate->key.c_str(), SSL_FILETYPE_PEM) == 1;
  if (!loaded) throw std::runtime_error("the test server cannot use its certificate");
  if (!options.client_ca_file.empty()) {
    SSL_CTX_load_verify_file(context, options.client_ca_file.c_str());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

}  // namespace

int listen_on_loopback(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 64) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the test server cannot listen");
  }
  port = ntohs(address.sin_port);
  return fd;
}

ServedConnection::~ServedConnection() {
  if (tls_ != nullptr) SSL_shutdown(tls_);
}

std::string ServedConnection::read_some() {
  char bytes[16 * 1024];
  const auto count =
      tls_ != nullptr ? SSL_read(tls_, bytes, sizeof bytes) : ::recv(fd_, bytes, sizeof bytes, 0);
  return count > 0 ? std::string(bytes, static_cast<std::size_t>(count)) : std::string();
}

std::optional<std::string> ServedConnection::read_head() {
  std::size_t end = 0;
  while ((end = buffered_.find("\r\n\r\n")) == std::string::npos) {
    const std::string more = read_some();
    if (more.empty()) return std::nullopt;
    buffered_ += more;
  }
  std::string head = buffered_.substr(0, end + 4);
  buffered_.erase(0, end + 4);
  return head;
}

std::optional<ServedRequest> ServedConnection::read_request() {
  auto head = read_head();
  if (!head) return std::nullopt;
  const std::size_t length = content_length(*head);
  while (buffered_.size() < length) {
    const std::string more = read_some();
    if (more.empty()) return std::nullopt;
    buffered_ += more;
  }
  ServedRequest request{std::move(*head), buffered_.substr(0, length)};
  buffered_.erase(0, length);
  return request;
}

bool ServedConnection::write(const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto count = tls_ != nullptr
                           ? SSL_write(tls_, bytes.data() + at, static_cast<int>(bytes.size() - at))
                           : ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (count <= 0) return false;
    at += static_cast<std::size_t>(count);
  }
  return true;
}

bool ServedConnection::answer(const std::string& body, const std::string& headers) {
  return write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
               headers + "\r\n" + body);
}

void ServedConnection::wait_for_peer_to_close() {
  while (!read_some().empty()) {
  }
}

void ServedConnection::stop_reading() {
  pollfd watched{fd_, POLLHUP, 0};
  ::poll(&watched, 1, -1);
}

void ServedConnection::reset_on_close() {
  const linger abrupt{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
}

TlsServer::TlsServer(TlsServerOptions options, Script script)
    : script_(std::move(script)), context_(server_context(options)) {
  // SSL_write has no MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  listener_ = listen_on_loopback(port_);
  acceptor_ = std::thread([this] { accept_all(); });
}

TlsServer::~TlsServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
  ::close(listener_);
  SSL_CTX_free(context_);
}

std::size_t TlsServer::open_connections() {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void TlsServer::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (fd < 0 || stopping_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    open_.push_back(fd);
    threads_.emplace_back([this, fd, number = connections_++] { serve(fd, number); });
  }
}

void TlsServer::serve(int fd, int number) {
  SSL* tls = nullptr;
  bool ready = true;
  if (context_ != nullptr) {
    tls = SSL_new(context_);
    SSL_set_fd(tls, fd);
    ready = SSL_accept(tls) == 1;
  }
  if (ready) {
    ServedConnection connection(fd, tls);
    connection.number = number;
    script_(connection);
  }
  SSL_free(tls);
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

bool listens_on_loopback(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

}  // namespace gateway::fakes
