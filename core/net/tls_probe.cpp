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

Result<Socket> connect_to(const std::string& host, std::uint16_t port, const std::string& peer,
                          Monotonic deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int answer = ::getaddrinfo(host.c_str(), cat(port).c_str(), &hints, &found);
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

Result<TlsPeer> probe_tls(TlsIdentity identity, std::uint16_t port, Milliseconds timeout) {
  const Monotonic deadline = std::chrono::steady_clock::now() + timeout;
  const std::string host = identity.host;
  const std::string peer = cat(host, ':', port);
  GW_TRY(const auto context, TlsContext::create(std::move(identity)));
  GW_TRY(const Socket socket, connect_to(host, port, peer, deadline));
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

Status probe_tcp(const std::string& host, std::uint16_t port, Milliseconds timeout) {
  GW_TRY([[maybe_unused]] const Socket socket,
         connect_to(host, port, cat(host, ':', port), std::chrono::steady_clock::now() + timeout));
  return {};
}

}  // namespace gateway::core::net
