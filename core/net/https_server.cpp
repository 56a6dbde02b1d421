#include "core/net/https_server.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "core/log.h"
#include "core/net/served_http.h"
#include "core/net/tls_server.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;
using Stream = ssl::stream<beast::tcp_stream>;
using ArrivingParser = http::request_parser<http::buffer_body>;

constexpr auto awaited = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t head_max = 16 * 1024;
constexpr std::size_t piece_max = 64 * 1024;  // of a body that is taken as it arrives

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> names_of(SSL* connection) {
  std::vector<std::string> names;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(connection), &X509_free);
  if (!certificate || SSL_get_verify_result(connection) != X509_V_OK) return names;
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) names.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  auto* const alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; alternatives != nullptr && i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) names.push_back(text_of(name->d.dNSName));
  }
  GENERAL_NAMES_free(alternatives);
  return names;
}

/// What all requests at work may hold together.
class Budget {
 public:
  explicit Budget(std::uint64_t bytes) : free_(bytes) {}
  bool take(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (free_ < bytes) return false;
    free_ -= bytes;
    return true;
  }
  void give(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    free_ += bytes;
  }

 private:
  std::mutex mutex_;
  std::uint64_t free_;
};

class Reserved {
 public:
  Reserved(Budget& budget, std::uint64_t bytes)
      : budget_(budget),
        bytes_(budget.take(bytes) ? bytes : 0),
        granted_(bytes == 0 || bytes_ > 0) {}
  ~Reserved() { budget_.give(bytes_); }
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;
  bool granted() const { return granted_; }

 private:
  Budget& budget_;
  std::uint64_t bytes_;
  bool granted_;
};

/// A caller over IPv4 has one name, whether the socket that took the call knows IPv6 or not.
std::string address_text(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}

class Server final : public HttpsServer {
 public:
  Server(HttpsServerOptions options, HttpsHandler handler)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        context_(ssl::context::tls_server),
        budget_(options_.bodies_max),
        acceptor_(asio::make_strand(loop_)) {}

  ~Server() override {
    {
      // A handler may wait for another thread's answer, which needs the loop to come back to.
      std::unique_lock lock(mutex_);
      closing_ = true;
      idle_.wait(lock, [this] { return at_work_ == 0; });
    }
    loop_.stop();
    for (std::thread& thread : threads_) thread.join();
  }

  Status start() {
    GW_CHECK(
        prepare_tls_server(context_.native_handle(),
                           {options_.certificate_file, options_.key_file, options_.client_ca_file},
                           kForwardSecretSuites));
    GW_CHECK(bind());
    asio::co_spawn(acceptor_.get_executor(), accept_all(), asio::detached);
    for (unsigned i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { loop_.run(); });
    return {};
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return connections_; }

 private:
  Status bind() { return options_.listening >= 0 ? take_over() : open(); }

  Status take_over() {
    error_code error;
    const int socket = ::fcntl(options_.listening, F_DUPFD_CLOEXEC, 0);
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const bool known =
        socket >= 0 && ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    if (known) {
      acceptor_.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), socket, error);
      if (!error) port_ = acceptor_.local_endpoint(error).port();
      if (!error) return {};
    }
    if (socket >= 0 && !acceptor_.is_open()) ::close(socket);
    return Error(Code::io, cat("the socket handed over for port ", options_.port,
                               " cannot be used; restart its socket unit and this service"));
  }

  Status open() {
    error_code error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error) {
      return Error(Code::invalid, cat("\"", options_.address, "\" is no address to listen on"));
    }
    const tcp::endpoint here(address, options_.port);
    acceptor_.open(here.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(here, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (!error) return {};
    const char* hint = error == asio::error::access_denied
                           ? "; a port below 1024 is opened by a socket unit, see console.md"
                           : "";
    return Error(Code::io, cat("cannot listen on ", options_.address, ":", options_.port, ": ",
                               error.message(), hint));
  }

  Awaitable<void> accept_all() {
    while (true) {
      auto [error, socket] = co_await acceptor_.async_accept(asio::make_strand(loop_), awaited);
      if (error) {
        // Out of descriptors: trying again at once would spin until one is free.
        asio::steady_timer pause(acceptor_.get_executor(), std::chrono::seconds(1));
        co_await pause.async_wait(awaited);
        continue;
      }
      if (connections_ >= options_.connections_max) {
        // Closed as it goes out of scope. One line a crowd, not one a caller.
        if (!std::exchange(says_full_, true)) {
          log_warn("core",
                   cat("https: hung up on ", socket.remote_endpoint(error).address().to_string(),
                       " and on who follows: ", options_.connections_max, " connections are open"));
        }
        continue;
      }
      says_full_ = false;
      ++connections_;
      const auto executor = socket.get_executor();
      asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
    }
  }

  Awaitable<void> serve(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    HttpPeer peer;
    peer.address = address_text(socket.remote_endpoint(ignored).address());
    Stream stream(std::move(socket), context_);
    beast::get_lowest_layer(stream).expires_after(options_.step_timeout);
    const auto [failed] = co_await stream.async_handshake(ssl::stream_base::server, awaited);
    if (!failed) {
      peer.names = names_of(stream.native_handle());
      co_await serve_requests(stream, peer);
      beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(2));
      const auto [unclean] = co_await stream.async_shutdown(awaited);
      (void)unclean;  // the peer may be gone already
    }
    --connections_;
  }

  Awaitable<void> serve_requests(Stream& stream, const HttpPeer& peer) {
    beast::flat_buffer buffer(4 * head_max);
    for (bool keep_alive = true; keep_alive;) {
      http::request_parser<http::empty_body> head;
      head.header_limit(head_max);
      head.body_limit(boost::none);  // whose body is bounded is told by the head
      beast::get_lowest_layer(stream).expires_after(options_.idle_timeout);
      const auto [failed, count] = co_await http::async_read_header(stream, buffer, head, awaited);
      const bool arrives = !failed && options_.arrives && options_.arrives(head.get().target());
      error_code error = failed;
      if (!failed && !arrives && head.content_length().value_or(UINT64_C(0)) > options_.body_max)
        error = http::error::body_limit;
      if (error) {
        const std::optional<Complaint> wrong = complaint(error);
        if (wrong) co_await write_answer(stream, refusal(wrong->status, wrong->text), false);
        co_return;
      }
      if (arrives) {
        ArrivingParser parser(std::move(head));
        keep_alive = co_await serve_arriving(stream, buffer, parser, peer);
      } else {
        http::request_parser<http::string_body> parser(std::move(head));
        parser.body_limit(options_.body_max);
        keep_alive = co_await serve_request(stream, buffer, parser, peer);
      }
    }
  }

  /// False: the connection is used no more.
  Awaitable<bool> serve_arriving(Stream& stream, beast::flat_buffer& buffer, ArrivingParser& parser,
                                 const HttpPeer& peer) {
    beast::get_lowest_layer(stream).expires_never();
    Arrival arrival(*this, stream, buffer, parser);
    const HttpsHandler handler = [&](HttpRequest request, const HttpPeer& caller) {
      return options_.arriving(std::move(request), caller, arrival);
    };
    HttpRequest request = head_of(parser.get());
    HttpResponse answer = co_await call_handler(handler, std::move(request), peer);
    const bool head_only = parser.get().method() == http::verb::head;
    const bool keep_alive = parser.is_done() && parser.keep_alive();
    co_return co_await write_answer(stream, std::move(answer), keep_alive, head_only);
  }

  template <class Message>
  Awaitable<bool> tell_to_go_on(Stream& stream, const Message& message) {
    beast::get_lowest_layer(stream).expires_after(options_.step_timeout);
    if (message[http::field::expect] != "100-continue") co_return true;
    http::response<http::empty_body> go_on(http::status::continue_, http11);
    const auto [error, count] = co_await http::async_write(stream, go_on, awaited);
    co_return !error;
  }

  template <class Message>
  static HttpRequest head_of(const Message& message) {
    HttpRequest request;
    request.method = message.method_string();
    request.target = message.target();
    request.headers = headers_of(message);
    return request;
  }

  /// False: the connection is used no more.
  Awaitable<bool> serve_request(Stream& stream, beast::flat_buffer& buffer,
                                http::request_parser<http::string_body>& parser,
                                const HttpPeer& peer) {
    const std::uint64_t announced =
        parser.is_done() ? 0 : parser.content_length().value_or(options_.body_max);
    const Reserved reserved(budget_, announced);
    if (!reserved.granted()) {
      HttpResponse busy = refusal(503, "too many requests at once; try again");
      if (busy.header("Retry-After").empty()) busy.headers.emplace_back("Retry-After", "1");
      co_return co_await write_answer(stream, std::move(busy), false);
    }
    const bool told = co_await tell_to_go_on(stream, parser.get());
    if (!told) co_return false;
    const auto [error, count] = co_await http::async_read(stream, buffer, parser, awaited);
    if (error) {
      const std::optional<Complaint> wrong = complaint(error);
      if (wrong) co_await write_answer(stream, refusal(wrong->status, wrong->text), false);
      co_return false;
    }
    beast::get_lowest_layer(stream).expires_never();
    auto message = parser.release();
    const bool keep_alive = message.keep_alive();
    const bool head_only = message.method() == http::verb::head;
    HttpRequest request = head_of(message);
    request.body = std::move(message.body());
    HttpResponse answer = co_await call_handler(handler_, std::move(request), peer);
    if (answer.stream && !head_only) {
      co_await write_stream(stream, std::move(answer));
      co_return false;
    }
    co_return co_await write_answer(stream, std::move(answer), keep_alive, head_only);
  }

  /// While it waits for the peer the handler is not at work: the server's end does not wait for it.
  class Arrival final : public BodyArrival {
   public:
    Arrival(Server& server, Stream& stream, beast::flat_buffer& buffer, ArrivingParser& parser)
        : server_(server), stream_(stream), buffer_(buffer), parser_(parser) {}

    Awaitable<Result<std::string>> next() override {
      // Not before the handler wants it: who asks first may have nothing to send.
      if (!std::exchange(is_told_, true) && !parser_.is_done()) {
        server_.end_work();
        const bool told = co_await server_.tell_to_go_on(stream_, parser_.get());
        if (!server_.begin_work()) co_await never();
        beast::get_lowest_layer(stream_).expires_never();
        if (!told) co_return Error(Code::unavailable, "the body broke off");
      }
      auto& body = parser_.get().body();
      std::string piece;
      while (piece.empty() && !parser_.is_done()) {
        piece.resize(piece_max);
        body.data = piece.data();
        body.size = piece.size();
        server_.end_work();
        beast::get_lowest_layer(stream_).expires_after(server_.options_.step_timeout);
        const auto [error, count] =
            co_await http::async_read_some(stream_, buffer_, parser_, awaited);
        if (!server_.begin_work()) co_await never();
        beast::get_lowest_layer(stream_).expires_never();
        if (error && error != http::error::need_buffer)
          co_return Error(Code::unavailable, cat("the body broke off: ", error.message()));
        piece.resize(piece_max - body.size);
      }
      co_return piece;
    }

   private:
    /// Until the loop goes, and this with it.
    Awaitable<void> never() {
      asio::steady_timer end(stream_.get_executor(), asio::steady_timer::time_point::max());
      co_await end.async_wait(awaited);
    }

    Server& server_;
    Stream& stream_;
    beast::flat_buffer& buffer_;
    ArrivingParser& parser_;
    bool is_told_ = false;
  };

  bool begin_work() {
    const std::lock_guard lock(mutex_);
    if (!closing_) ++at_work_;
    return !closing_;
  }
  void end_work() {
    const std::lock_guard lock(mutex_);
    --at_work_;
    idle_.notify_all();
  }

  Awaitable<HttpResponse> call_handler(const HttpsHandler& handler, HttpRequest request,
                                       const HttpPeer& peer) {
    HttpResponse answer;
    if (!begin_work()) {
      answer = refusal(503, "the gateway is stopping");
      co_return answer;
    }
    try {
      answer = co_await handler(std::move(request), peer);
    } catch (const std::exception& defect) {
      log_error("core", cat("https: a handler threw: ", defect.what()));
      answer = refusal(500, "internal error; see the log");
    }
    end_work();
    co_return answer;
  }

  HttpResponse refusal(int status, std::string_view text) const {
    return options_.refuse ? options_.refuse(status, text) : plain_answer(status, text);
  }

  Awaitable<bool> write_answer(Stream& stream, HttpResponse answer, bool keep_alive,
                               bool to_head = false) {
    auto message = to_wire(std::move(answer), keep_alive, to_head);
    beast::get_lowest_layer(stream).expires_after(options_.step_timeout);
    const auto [error, count] = co_await http::async_write(stream, message, awaited);
    co_return !error && keep_alive;
  }

  Awaitable<void> write_stream(Stream& stream, HttpResponse answer) {
    http::response<http::empty_body> head(static_cast<http::status>(answer.status), http11);
    put_head(head, answer.headers);
    head.chunked(true);
    head.keep_alive(false);
    http::response_serializer<http::empty_body> serializer(head);
    beast::get_lowest_layer(stream).expires_after(options_.step_timeout);
    const auto [refused, head_bytes] =
        co_await http::async_write_header(stream, serializer, awaited);
    if (refused) co_return;
    while (true) {
      const std::string piece = co_await next_piece(*answer.stream);
      beast::get_lowest_layer(stream).expires_after(options_.step_timeout);
      if (piece.empty()) break;
      const auto [error, count] =
          co_await asio::async_write(stream, http::make_chunk(asio::buffer(piece)), awaited);
      if (error) co_return;
      beast::get_lowest_layer(stream).expires_never();
    }
    const auto [error, count] =
        co_await asio::async_write(stream, http::make_chunk_last(), awaited);
    (void)error;  // the connection closes either way
  }

  static Awaitable<std::string> next_piece(BodyStream& body) {
    try {
      co_return co_await body.next();
    } catch (const std::exception& defect) {
      log_error("core", cat("https: a stream threw: ", defect.what()));
    }
    co_return std::string();
  }

  const HttpsServerOptions options_;
  const HttpsHandler handler_;
  ssl::context context_;
  Budget budget_;
  std::atomic<std::size_t> connections_ = 0;
  bool says_full_ = false;  // the accepting coroutine's
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t at_work_ = 0;  // guarded by mutex_: requests in the handler's hands
  bool closing_ = false;     // guarded by mutex_
  // With it go the coroutines that still wait, and what they hold of the above.
  asio::io_context loop_;
  tcp::acceptor acceptor_;
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<HttpsServer>> HttpsServer::listen(const HttpsServerOptions& options,
                                                         HttpsHandler handler) {
  auto server = std::make_unique<Server>(options, std::move(handler));
  GW_CHECK(server->start());
  return std::unique_ptr<HttpsServer>(std::move(server));
}

}  // namespace gateway::core::net
