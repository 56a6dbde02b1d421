#include "core/net/tls_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <memory>
#include <system_error>

#include "core/text.h"

namespace gateway::core::net {
namespace {

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Error not_reached(const std::string& peer, std::string_view why) {
  return {Code::unavailable, cat(peer, " is not reached: ", why)};
}

/// 0 when the time is over.
int milliseconds_until(Monotonic deadline) {
  const auto left =
      std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

bool wait_for(int descriptor, short events, Monotonic deadline) {
  pollfd wanted{descriptor, events, 0};
  while (true) {
    const int left = milliseconds_until(deadline);
    const int ready = ::poll(&wanted, 1, left);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Result<Socket> connect_to(const Url& server, Monotonic deadline) {
  const std::string peer = server.peer();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int answer = ::getaddrinfo(server.host.c_str(), cat(server.port).c_str(), &hints, &found);
  if (answer != 0) return not_reached(peer, cat(::gai_strerror(answer), "; check name and DNS"));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  std::string why = "no address";
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) {
      why = std::generic_category().message(errno);
      continue;
    }
    int number = 0;
    if (::connect(socket.get(), address->ai_addr, address->ai_addrlen) != 0) number = errno;
    if (number == EINPROGRESS) {
      socklen_t size = sizeof number;
      if (!wait_for(socket.get(), POLLOUT, deadline)) {
        number = ETIMEDOUT;
      } else if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
      }
    }
    if (number == 0) return socket;
    why = std::generic_category().message(number);
  }
  return not_reached(peer, why);
}

Status ask_for_tunnel(int descriptor, const HttpProxy& proxy, const Url& server,
                      Monotonic deadline) {
  const std::string request = tunnel_request(proxy, server);
  // A fresh socket takes so little at once.
  if (::send(descriptor, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return not_reached(server.peer(), cat("the proxy ", proxy.url.peer(), " hung up"));
  }
  TunnelAnswer answer(proxy, server);
  char bytes[TunnelAnswer::bytes_wanted()];
  while (true) {
    const bool heard = wait_for(descriptor, POLLIN, deadline);
    const ssize_t count = heard ? ::recv(descriptor, bytes, sizeof bytes, 0) : 0;
    if (count <= 0) {
      return not_reached(server.peer(), cat("the proxy ", proxy.url.peer(),
                                            heard ? " hung up" : " did not answer in time"));
    }
    GW_TRY(const bool open, answer.take({bytes, static_cast<std::size_t>(count)}));
    if (open) return {};
  }
}

Result<Socket> reach(const Url& server, const HttpProxy* proxy, Monotonic deadline) {
  if (proxy == nullptr) return connect_to(server, deadline);
  GW_TRY(Socket socket, connect_to(proxy->url, deadline));
  GW_CHECK(ask_for_tunnel(socket.get(), *proxy, server, deadline));
  return socket;
}

/// The earliest end of the verified chain.
TlsPeer describe_chain(SSL* session) {
  TlsPeer peer{SSL_get_version(session), std::numeric_limits<std::int64_t>::max(), ""};
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(session);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    const ASN1_TIME* const end = X509_get0_notAfter(sk_X509_value(chain, i));
    int days = 0;
    int seconds = 0;
    std::tm fields{};
    char day[16] = "";
    if (ASN1_TIME_diff(&days, &seconds, nullptr, end) != 1 || days >= peer.days_left) continue;
    peer.days_left = days;
    if (ASN1_TIME_to_tm(end, &fields) == 1) std::strftime(day, sizeof day, "%F", &fields);
    peer.ends = day;
  }
  return peer;
}

}  // namespace

Result<TlsPeer> probe_tls(TlsIdentity identity, std::uint16_t port, Milliseconds timeout,
                          const HttpProxy* proxy) {
  const Monotonic deadline = std::chrono::steady_clock::now() + timeout;
  const std::string host = identity.host;
  const Url server{true, host, port, ""};
  const std::string peer = server.peer();
  GW_TRY(const auto context, TlsContext::create(std::move(identity)));
  GW_TRY(const Socket socket, reach(server, proxy, deadline));
  const std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(context->native()), SSL_free);
  if (!session || SSL_set_fd(session.get(), socket.get()) != 1 ||
      SSL_set_tlsext_host_name(session.get(), host.c_str()) != 1) {
    return Error(Code::internal, cat("no TLS session with ", peer));
  }
  while (true) {
    ERR_clear_error();
    const int done = SSL_connect(session.get());
    if (done == 1) return describe_chain(session.get());
    const int wanted = SSL_get_error(session.get(), done);
    const bool reads = wanted == SSL_ERROR_WANT_READ;
    if (!reads && wanted != SSL_ERROR_WANT_WRITE) break;
    if (!wait_for(socket.get(), reads ? POLLIN : POLLOUT, deadline)) {
      return not_reached(peer, "no TLS answer in time; is it a TLS port?");
    }
  }
  if (std::string failure = context->take_failure(); !failure.empty()) {
    return Error(Code::untrusted, cat("TLS to ", peer, ": ", failure));
  }
  const unsigned long number = ERR_peek_last_error();
  if (number == 0) return not_reached(peer, "it closed the connection during the TLS handshake");
  return Error(Code::untrusted, cat("TLS to ", peer, ": ", describe_tls_error(number).text));
}

Status probe_tcp(const std::string& host, std::uint16_t port, Milliseconds timeout,
                 const HttpProxy* proxy) {
  GW_TRY([[maybe_unused]] const Socket socket,
         reach({false, host, port, ""}, proxy, std::chrono::steady_clock::now() + timeout));
  return {};
}

}  // namespace gateway::core::net
