#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <optional>
#include <set>

#include "core/log.h"
#include "core/net/http.h"
#include "core/net/served_http.h"
#include "core/net/unix_listener.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::local::stream_protocol;
using boost::system::error_code;
using Stream = beast::basic_stream<stream_protocol>;

constexpr auto awaited = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t head_max = 16 * 1024;
constexpr std::uint64_t request_body_max = 1u << 20;
constexpr std::uint64_t answer_body_max = 64u << 20;
constexpr std::size_t connections_max = 16;
constexpr std::chrono::seconds step_timeout{30};

/// Shared by the acceptor and the connections; lives until the last of them is done.
struct ServerState {
  ServerState(const asio::any_io_executor& loop, HttpHandler called)
      : acceptor(loop), handler(std::move(called)) {}
  stream_protocol::acceptor acceptor;
  HttpHandler handler;
  std::set<std::shared_ptr<Stream>> connections{};
};

Awaitable<HttpResponse> call_handler(ServerState& state, HttpRequest request) {
  try {
    HttpResponse answer = co_await state.handler(std::move(request));
    co_return answer;
  } catch (const std::exception& defect) {
    log_error("core", cat("control socket: a handler threw: ", defect.what()));
  }
  HttpResponse failed = plain_answer(500, "internal error; see the log");
  co_return failed;
}

Awaitable<bool> write_answer(Stream& stream, HttpResponse answer, bool keep_alive) {
  auto message = to_wire(std::move(answer), keep_alive);
  stream.expires_after(step_timeout);
  const auto [error, count] = co_await http::async_write(stream, message, awaited);
  co_return !error && keep_alive;
}

/// What was read may be a passphrase: nothing of it stays behind in the buffer.
void wipe(beast::flat_buffer& buffer) {
  if (buffer.size() != 0) return;  // the next request has begun already
  const auto all = buffer.prepare(buffer.capacity());
  ::explicit_bzero(all.data(), all.size());
}

Awaitable<void> serve_requests(ServerState& state, Stream& stream) {
  beast::flat_buffer buffer(4 * head_max);
  for (bool keep_alive = true; keep_alive;) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(head_max);
    parser.body_limit(request_body_max);
    stream.expires_after(step_timeout);
    const auto [error, count] = co_await http::async_read(stream, buffer, parser, awaited);
    if (error) {
      const std::optional<Complaint> wrong = complaint(error);
      if (wrong) co_await write_answer(stream, plain_answer(wrong->status, wrong->text), false);
      co_return;
    }
    stream.expires_never();
    auto message = parser.release();
    const bool wanted = message.keep_alive();
    HttpRequest request;
    request.method = message.method_string();
    request.target = message.target();
    request.headers = headers_of(message);
    request.body = std::move(message.body());
    wipe(buffer);
    HttpResponse answer = co_await call_handler(state, std::move(request));
    keep_alive = co_await write_answer(stream, std::move(answer), wanted);
  }
}

Awaitable<void> serve(std::shared_ptr<ServerState> state, std::shared_ptr<Stream> stream) {
  co_await serve_requests(*state, *stream);
  error_code ignored;  // the peer may be gone already
  stream->socket().shutdown(stream_protocol::socket::shutdown_both, ignored);
  state->connections.erase(stream);
}

Awaitable<void> accept_all(std::shared_ptr<ServerState> state) {
  while (state->acceptor.is_open()) {
    auto [error, socket] = co_await state->acceptor.async_accept(awaited);
    if (error == asio::error::operation_aborted || !state->acceptor.is_open()) co_return;
    if (error) {
      log_warn("core", cat("control socket: accept failed: ", error.message()));
      // Out of descriptors: trying again at once would spin until one is free.
      asio::steady_timer pause(state->acceptor.get_executor(), std::chrono::seconds(1));
      co_await pause.async_wait(awaited);
      continue;
    }
    const auto loop = state->acceptor.get_executor();
    const auto stream = std::make_shared<Stream>(std::move(socket));
    if (state->connections.size() >= connections_max) {
      co_await write_answer(*stream, plain_answer(503, "too many connections; try again"), false);
      continue;
    }
    state->connections.insert(stream);
    asio::co_spawn(loop, serve(state, stream), asio::detached);
  }
}

class BeastUnixServer final : public UnixHttpServer {
 public:
  BeastUnixServer(std::shared_ptr<ServerState> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)) {}
  ~BeastUnixServer() override { close(); }

  void close() override {
    if (!state_->acceptor.is_open()) return;
    ::unlink(path_.c_str());
    error_code ignored;  // there is nobody to tell
    state_->acceptor.close(ignored);
    for (const auto& stream : state_->connections) stream->close();
  }

 private:
  std::shared_ptr<ServerState> state_;
  std::string path_;
};

Error not_reached(const std::string& path, const error_code& error) {
  if (error == asio::error::access_denied) {
    return {Code::unavailable,
            cat("no permission to use ", path, "; run this as root or as a member of its group")};
  }
  return {Code::unavailable,
          cat("no daemon answers on ", path, " (", error.message(),
              "); is clinic-gateway running? See: systemctl status clinic-gateway")};
}

Error no_answer(const std::string& path, const error_code& error) {
  const std::string reason = error == beast::error::timeout ? "it took too long" : error.message();
  return {Code::lost_answer, cat("the daemon on ", path, " gave no whole answer: ", reason)};
}

Awaitable<void> ask(const std::string& path, http::request<http::string_body>& message,
                    Milliseconds timeout, Result<HttpResponse>& out) {
  Stream stream(co_await asio::this_coro::executor);
  stream.expires_after(timeout);
  const auto [connect_error] =
      co_await stream.async_connect(stream_protocol::endpoint(path), awaited);
  if (connect_error) {
    out = not_reached(path, connect_error);
    co_return;
  }
  // Refusals (503, 413) may come before everything was read, so a failed write still deserves a
  // look at the answer.
  const auto [write_error, written] = co_await http::async_write(stream, message, awaited);
  http::response_parser<http::string_body> parser;
  parser.body_limit(answer_body_max);
  beast::flat_buffer buffer;
  const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, awaited);
  if (read_error) {
    out = no_answer(path, write_error ? write_error : read_error);
    co_return;
  }
  HttpResponse answer;
  answer.status = static_cast<int>(parser.get().result_int());
  answer.headers = headers_of(parser.get());
  answer.body = std::move(parser.get().body());
  out = std::move(answer);
}

}  // namespace

Result<std::unique_ptr<UnixHttpServer>> UnixHttpServer::listen(boost::asio::any_io_executor loop,
                                                               const std::string& path,
                                                               HttpHandler handler) {
  auto state = std::make_shared<ServerState>(loop, std::move(handler));
  GW_CHECK(listen_at(state->acceptor, path, static_cast<int>(connections_max)));
  asio::co_spawn(loop, accept_all(state), asio::detached);
  return std::unique_ptr<UnixHttpServer>(std::make_unique<BeastUnixServer>(std::move(state), path));
}

Result<HttpResponse> unix_http_request(const std::string& path, const HttpRequest& request,
                                       Milliseconds timeout) {
  GW_CHECK(check_socket_path(path));
  http::request<http::string_body> message;
  message.version(http11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(http::field::host, "localhost");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.keep_alive(false);
  message.body() = request.body;
  message.prepare_payload();
  Result<HttpResponse> out = Error(Code::internal, "the request did not run");
  asio::io_context loop(1);
  asio::co_spawn(loop, ask(path, message, timeout, out), asio::detached);
  loop.run();
  ::explicit_bzero(message.body().data(), message.body().size());  // perhaps a passphrase
  return out;
}

}  // namespace gateway::core::net
