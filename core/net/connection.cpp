#include "core/net/connection.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <vector>

#include "core/text.h"

namespace gateway::core::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;

// A peer that moves a byte now and then is never silent, and would hold a delivery for ever: over
// this many times the allowed silence it has to keep the pace of the slowest link there is.
constexpr int kPaceSpan = 10;
constexpr std::int64_t kPaceBytesPerSecond = 256;

constexpr auto awaited = asio::as_tuple(asio::use_awaitable);

/// The context's settings without its life: asio frees what it is given.
asio::ssl::context shared_context(TlsContext& tls) {
  SSL_CTX_up_ref(tls.native());
  return asio::ssl::context(tls.native());
}

class TcpConnection final : public Connection, public std::enable_shared_from_this<TcpConnection> {
 public:
  TcpConnection(asio::any_io_executor loop, const Url& url, const Way& way)
      : loop_(loop),
        url_(url),
        tls_(way.tls),
        proxy_(way.proxy),
        pace_(way.pace),
        socket_(loop),
        timer_(loop),
        paced_(loop),
        resolver_(loop) {}

  Awaitable<Status> open(Milliseconds timeout) override;
  Awaitable<Moved> read_some(std::span<char> bytes) override;
  Awaitable<Moved> write_some(std::string_view bytes) override;
  void watch(Milliseconds idle) override;
  void rest(Milliseconds keep) override;
  bool stale() override;
  void close() override {
    closed_ = true;
    shut();
  }

 private:
  /// What an asynchronous look-up leaves behind; it may outlive the connection, getaddrinfo cannot
  /// be stopped.
  struct Lookup {
    explicit Lookup(const asio::any_io_executor& loop) : done(loop, Steady::time_point::max()) {}
    asio::steady_timer done;
    error_code error = asio::error::operation_aborted;
    std::vector<tcp::endpoint> endpoints{};
  };

  /// Where the first hop is.
  const Url& dialled() const { return proxy_ != nullptr ? proxy_->url : url_; }
  Awaitable<Status> resolve(std::vector<tcp::endpoint>& endpoints);
  Awaitable<error_code> connect_to(const tcp::endpoint& endpoint, Milliseconds timeout);
  Awaitable<Status> tunnel();
  Awaitable<Status> handshake();
  void after(Milliseconds delay, void (TcpConnection::*action)());
  void disarm();
  void look();
  void time_out();
  void shut();
  Error not_opened(Code code, std::string_view why) const;
  Moved moved(const error_code& error, std::size_t bytes);
  std::size_t unacknowledged();

  asio::any_io_executor loop_;
  Url url_;
  TlsContext* tls_;
  const HttpProxy* proxy_;
  SendPace* pace_;
  tcp::socket socket_;
  std::optional<asio::ssl::context> context_;
  std::optional<asio::ssl::stream<tcp::socket&>> stream_;
  asio::steady_timer timer_;
  asio::steady_timer paced_;  // rings when more may go out
  tcp::resolver resolver_;
  std::shared_ptr<Lookup> lookup_;
  std::uint64_t alarm_ = 0;
  bool closed_ = false;
  bool timed_out_ = false;
  Milliseconds idle_{0};
  Steady::time_point last_moved_{};
  std::size_t last_unacknowledged_ = 0;
  Steady::time_point paced_since_{};
  std::uint64_t paced_bytes_ = 0;  // moved since then
  bool crawls_ = false;
};

void TcpConnection::shut() {
  error_code ignored;  // closing a socket that is closed already is fine
  socket_.close(ignored);
  paced_.cancel();
  disarm();
  if (lookup_) lookup_->done.cancel();
}

void TcpConnection::time_out() {
  timed_out_ = true;
  shut();
}

void TcpConnection::after(Milliseconds delay, void (TcpConnection::*action)()) {
  disarm();
  timer_.expires_after(delay);
  timer_.async_wait([weak = weak_from_this(), action, alarm = alarm_](const error_code& error) {
    const auto self = weak.lock();
    if (!error && self && self->alarm_ == alarm) std::invoke(action, *self);
  });
}

void TcpConnection::disarm() {
  // Cancelling comes too late for an alarm that is queued already: its number tells it apart.
  ++alarm_;
  timer_.cancel();
}

Error TcpConnection::not_opened(Code code, std::string_view why) const {
  if (closed_) return {Code::cancelled, cat("connecting to ", url_.peer(), " was stopped")};
  return {code, cat(code == Code::untrusted ? "TLS to " : "", url_.peer(), ": ", why)};
}

Awaitable<Status> TcpConnection::open(Milliseconds timeout) {
  const auto self = shared_from_this();
  const auto deadline = Steady::now() + timeout;
  after(timeout, &TcpConnection::time_out);
  std::vector<tcp::endpoint> endpoints;
  Status resolved = co_await resolve(endpoints);
  if (!resolved.ok()) co_return resolved;

  error_code error = asio::error::host_not_found;
  for (std::size_t i = 0; i < endpoints.size() && !closed_; ++i) {
    // A silent first address (often IPv6) leaves time for the ones behind it.
    const auto left = std::chrono::duration_cast<Milliseconds>(deadline - Steady::now());
    const auto share = left / static_cast<std::int64_t>(endpoints.size() - i);
    timed_out_ = false;
    error = co_await connect_to(endpoints[i], std::max(share, Milliseconds(1)));
    if (!error) break;
  }
  if (timed_out_) {
    co_return not_opened(Code::unavailable, cat("no connection within ", timeout.count(),
                                                " ms; check the address, the link and firewalls"));
  }
  if (error) co_return not_opened(Code::unavailable, cat("cannot connect: ", error.message()));
  socket_.set_option(tcp::no_delay(true), error);
  // The last packets of a request are few: where one of them is lost twice, waiting twice as long
  // each time costs ten seconds of a link that is there. As often as the link allows is soon
  // enough.
  const int linear = 1;
  (void)::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &linear,
                     sizeof linear);
  const auto left = std::chrono::duration_cast<Milliseconds>(deadline - Steady::now());
  after(std::max(left, Milliseconds(1)), &TcpConnection::time_out);
  if (proxy_ != nullptr) {
    Status through = co_await tunnel();
    if (!through.ok()) co_return through;
  }
  if (tls_ != nullptr) {
    Status trusted = co_await handshake();
    if (!trusted.ok()) co_return trusted;
  }
  disarm();
  co_return Status();
}

Awaitable<Status> TcpConnection::resolve(std::vector<tcp::endpoint>& endpoints) {
  error_code not_address;
  const auto address = asio::ip::make_address(dialled().host, not_address);
  if (!not_address) {
    endpoints.emplace_back(address, dialled().port);
    co_return Status();
  }
  const auto lookup = std::make_shared<Lookup>(loop_);
  lookup_ = lookup;
  resolver_.async_resolve(
      dialled().host, std::to_string(dialled().port),
      [lookup](const error_code& error, const tcp::resolver::results_type& found) {
        lookup->error = error;
        for (const auto& entry : found) lookup->endpoints.push_back(entry.endpoint());
        lookup->done.cancel();
      });
  co_await lookup->done.async_wait(awaited);
  lookup_.reset();
  if (timed_out_) {
    co_return not_opened(Code::unavailable,
                         "its name was not resolved in time; check DNS and the link");
  }
  if (lookup->error) {
    co_return not_opened(Code::unavailable,
                         cat("its name cannot be resolved (", lookup->error.message(),
                             "); check the name, DNS and the link"));
  }
  endpoints = lookup->endpoints;
  co_return Status();
}

Awaitable<error_code> TcpConnection::connect_to(const tcp::endpoint& endpoint,
                                                Milliseconds timeout) {
  error_code error;
  socket_.close(error);
  socket_.open(endpoint.protocol(), error);
  if (error) co_return error;
  after(timeout, &TcpConnection::time_out);
  const auto [failure] = co_await socket_.async_connect(endpoint, awaited);
  co_return failure;
}

Awaitable<Status> TcpConnection::tunnel() {
  const auto broken = [this](std::string_view why) {
    return not_opened(Code::unavailable, cat("by the proxy ", proxy_->url.peer(), ": ", why));
  };
  const std::string request = tunnel_request(*proxy_, url_);
  const auto [unsent, sent] = co_await asio::async_write(socket_, asio::buffer(request), awaited);
  if (unsent) co_return broken(cat("it hung up (", unsent.message(), ")"));
  TunnelAnswer answer(*proxy_, url_);
  char bytes[TunnelAnswer::bytes_wanted()];
  while (true) {
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(bytes), awaited);
    if (error && timed_out_) co_return broken("it did not answer in time");
    if (error) co_return broken(cat("it hung up (", error.message(), ")"));
    const auto open = answer.take({bytes, count});
    if (!open.ok()) co_return closed_ ? not_opened(Code::cancelled, "") : open.error();
    if (*open) co_return Status();
  }
}

Awaitable<Status> TcpConnection::handshake() {
  tls_->take_failure();
  context_.emplace(shared_context(*tls_));
  stream_.emplace(socket_, *context_);
  error_code not_address;
  asio::ip::make_address(url_.host, not_address);
  if (not_address) SSL_set_tlsext_host_name(stream_->native_handle(), url_.host.c_str());

  const auto [error] = co_await stream_->async_handshake(asio::ssl::stream_base::client, awaited);
  if (!error) co_return Status();
  const std::string failed_check = tls_->take_failure();
  if (!failed_check.empty()) co_return not_opened(Code::untrusted, failed_check);
  if (timed_out_) {
    co_return not_opened(Code::unavailable, "the TLS handshake did not end in time");
  }
  const Moved ended = moved(error, 0);
  if (ended.end == End::untrusted) co_return not_opened(Code::untrusted, ended.reason);
  co_return not_opened(Code::unavailable, cat("the TLS handshake failed (", ended.reason,
                                              "); does this port speak TLS 1.2 or later?"));
}

Connection::Moved TcpConnection::moved(const error_code& error, std::size_t bytes) {
  Moved out;
  out.bytes = bytes;
  if (bytes > 0) last_moved_ = Steady::now();
  paced_bytes_ += bytes;
  if (!error) return out;
  out.reason = error.message();
  if (timed_out_) {
    out.end = End::timed_out;
    out.reason = crawls_ ? cat("fewer than ", kPaceBytesPerSecond, " bytes a second moved in ",
                               (kPaceSpan * idle_).count(), " ms")
                         : cat("no byte moved for ", idle_.count(), " ms");
  } else if (closed_ || error == asio::error::operation_aborted) {
    out.end = End::cancelled;
  } else if (error == asio::error::eof) {
    out.end = End::peer_closed;
    out.cleanly = true;
  } else if (error == asio::ssl::error::stream_truncated ||
             error == asio::error::connection_reset || error == asio::error::broken_pipe) {
    out.end = End::peer_closed;
  } else if (error.category() == asio::error::get_ssl_category()) {
    // In TLS 1.3 a refused client certificate shows only here, after our side of the handshake.
    const TlsAlert alert =
        describe_tls_error(static_cast<unsigned long>(static_cast<unsigned>(error.value())));
    out.end = alert.about_our_certificate ? End::untrusted : End::failed;
    out.reason = alert.about_our_certificate
                     ? cat("the server does not accept our client certificate (", alert.text,
                           "); check certificate_file and what the server trusts")
                     : alert.text;
  } else {
    out.end = End::failed;
  }
  return out;
}

Awaitable<Connection::Moved> TcpConnection::read_some(std::span<char> bytes) {
  const asio::mutable_buffer buffer(bytes.data(), bytes.size());
  if (stream_) {
    const auto [error, count] = co_await stream_->async_read_some(buffer, awaited);
    co_return moved(error, count);
  }
  const auto [error, count] = co_await socket_.async_read_some(buffer, awaited);
  co_return moved(error, count);
}

Awaitable<Connection::Moved> TcpConnection::write_some(std::string_view bytes) {
  if (pace_ != nullptr) {
    bytes = bytes.substr(0, pace_->portion());
    paced_.expires_at(pace_->take(bytes.size(), Steady::now()));
    co_await paced_.async_wait(awaited);
    last_moved_ = Steady::now();  // that it waited is our own doing
  }
  const asio::const_buffer buffer(bytes.data(), bytes.size());
  if (stream_) {
    const auto [error, count] = co_await stream_->async_write_some(buffer, awaited);
    co_return moved(error, count);
  }
  const auto [error, count] = co_await socket_.async_write_some(buffer, awaited);
  co_return moved(error, count);
}

std::size_t TcpConnection::unacknowledged() {
  int bytes = 0;
  if (::ioctl(socket_.native_handle(), SIOCOUTQ, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<std::size_t>(bytes);
}

void TcpConnection::watch(Milliseconds idle) {
  idle_ = idle;
  last_moved_ = Steady::now();
  last_unacknowledged_ = unacknowledged();
  paced_since_ = last_moved_;
  paced_bytes_ = 0;
  after(std::max(idle / 4, Milliseconds(1)), &TcpConnection::look);
}

void TcpConnection::look() {
  const auto now = Steady::now();
  const std::size_t waiting = unacknowledged();
  if (waiting < last_unacknowledged_) {
    last_moved_ = now;
    paced_bytes_ += last_unacknowledged_ - waiting;
  }
  last_unacknowledged_ = waiting;
  if (now - last_moved_ >= idle_) return time_out();
  if (now - paced_since_ >= kPaceSpan * idle_) {
    const auto span = std::chrono::duration_cast<Milliseconds>(now - paced_since_).count();
    crawls_ = paced_bytes_ * 1'000 < static_cast<std::uint64_t>(kPaceBytesPerSecond * span);
    if (crawls_) return time_out();
    paced_since_ = now;
    paced_bytes_ = 0;
  }
  after(std::max(idle_ / 4, Milliseconds(1)), &TcpConnection::look);
}

void TcpConnection::rest(Milliseconds keep) { after(keep, &TcpConnection::shut); }

bool TcpConnection::stale() {
  if (!socket_.is_open()) return true;
  char byte = 0;
  const ssize_t count =
      ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT | MSG_NOSIGNAL);
  return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace

std::shared_ptr<Connection> Connection::create(boost::asio::any_io_executor loop, const Url& url,
                                               const Way& way) {
  return std::make_shared<TcpConnection>(std::move(loop), url, way);
}

}  // namespace gateway::core::net
