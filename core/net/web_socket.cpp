#include "core/net/web_socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <exception>
#include <span>
#include <utility>

#include "core/text.h"

namespace gateway::core::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

constexpr std::chrono::seconds kHandshake{30};
// Half of it until our ping: servers close what was silent for half a minute.
constexpr std::chrono::seconds kSilence{50};

constexpr auto awaited = asio::as_tuple(asio::use_awaitable);

// The connection must outlive what is read or written, whoever has let go of it meanwhile.
Awaitable<Connection::Moved> read_from(std::shared_ptr<Connection> connection,
                                       std::span<char> bytes) {
  co_return co_await connection->read_some(bytes);
}
Awaitable<Connection::Moved> write_to(std::shared_ptr<Connection> connection,
                                      std::string_view bytes) {
  co_return co_await connection->write_some(bytes);
}

/// A Connection as the AsyncStream that Beast's WebSocket wants below itself.
class Line {
 public:
  using executor_type = asio::any_io_executor;

  Line(asio::any_io_executor loop, std::shared_ptr<Connection> connection)
      : loop_(std::move(loop)), connection_(std::move(connection)) {}

  executor_type get_executor() noexcept { return loop_; }
  Connection& connection() { return *connection_; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    const auto start = [this](auto handler, asio::mutable_buffer into) {
      const std::span<char> bytes(static_cast<char*>(into.data()), into.size());
      spawn(read_from(connection_, bytes), std::move(handler));
    };
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        start, token, first_of<asio::mutable_buffer>(buffers));
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    const auto start = [this](auto handler, asio::const_buffer from) {
      const std::string_view bytes(static_cast<const char*>(from.data()), from.size());
      spawn(write_to(connection_, bytes), std::move(handler));
    };
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        start, token, first_of<asio::const_buffer>(buffers));
  }

 private:
  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto next = asio::buffer_sequence_begin(buffers);
         next != asio::buffer_sequence_end(buffers); ++next) {
      const Buffer buffer(*next);
      if (buffer.size() > 0) return buffer;
    }
    return {};
  }

  static error_code ending(const Connection::Moved& moved) {
    switch (moved.end) {
      case Connection::End::none:
        return {};
      case Connection::End::peer_closed:
        return asio::error::eof;
      case Connection::End::timed_out:
        return asio::error::timed_out;
      case Connection::End::cancelled:
        return asio::error::operation_aborted;
      case Connection::End::failed:
      case Connection::End::untrusted:
        return asio::error::connection_reset;
    }
    return asio::error::connection_reset;
  }

  template <class Handler>
  void spawn(Awaitable<Connection::Moved> moving, Handler handler) {
    const auto on = asio::get_associated_executor(handler, loop_);
    asio::co_spawn(loop_, std::move(moving),
                   asio::bind_executor(
                       on, [handler = std::move(handler)](const std::exception_ptr& thrown,
                                                          const Connection::Moved& moved) mutable {
                         if (thrown) std::rethrow_exception(thrown);
                         std::move(handler)(ending(moved), moved.bytes);
                       }));
  }

  asio::any_io_executor loop_;
  std::shared_ptr<Connection> connection_;
};

// What Beast asks of a stream that it does not know, found by argument-dependent look-up.
void beast_close_socket(Line& line) { line.connection().close(); }

template <class Handler>
void async_teardown(beast::role_type, Line& line, Handler&& handler) {
  line.connection().close();
  asio::post(line.get_executor(),
             [handler = std::forward<Handler>(handler)]() mutable { handler(error_code()); });
}

Error ended(const Url& url, const error_code& error) {
  if (error == asio::error::operation_aborted)
    return {Code::cancelled, cat("the WebSocket of ", url.peer(), " was closed")};
  const bool is_protocol =
      error.category() == make_error_code(websocket::error::closed).category() &&
      error != websocket::error::closed;
  return {is_protocol ? Code::refused : Code::unavailable,
          cat("the WebSocket of ", url.peer(), " ended: ", error.message())};
}

class LineSocket final : public WebSocket, public std::enable_shared_from_this<LineSocket> {
 public:
  LineSocket(asio::any_io_executor loop, std::shared_ptr<Connection> connection, Url url)
      : url_(std::move(url)), stream_(std::move(loop), std::move(connection)) {
    stream_.set_option(websocket::stream_base::timeout{kHandshake, kSilence, true});
    stream_.read_message_max(kMessageMax);
    stream_.text(true);
  }
  ~LineSocket() override { close(); }

  Awaitable<Status> shake_hands(HttpRequest request, std::string authorization) {
    const auto self = shared_from_this();
    stream_.set_option(websocket::stream_base::decorator(
        [&request, &authorization](websocket::request_type& head) {
          for (const auto& [name, value] : request.headers) head.set(name, value);
          if (!authorization.empty()) head.set(beast::http::field::authorization, authorization);
        }));
    websocket::response_type answer;
    const std::string host = url_.host_header();
    const auto [error] = co_await stream_.async_handshake(answer, host, request.target, awaited);
    // It refers to what ends here.
    stream_.set_option(websocket::stream_base::decorator([](websocket::request_type&) {}));
    if (error == websocket::error::upgrade_declined) {
      co_return Error(Code::refused, cat(url_.peer(), " answered ", answer.result_int(),
                                         " where a WebSocket was asked for"));
    }
    if (error) co_return ended(url_, error);
    co_return Status();
  }

  Awaitable<Status> send(std::string text) override {
    const auto self = shared_from_this();
    const auto [error, bytes] = co_await stream_.async_write(asio::buffer(text), awaited);
    if (error) co_return ended(url_, error);
    co_return Status();
  }

  Awaitable<Result<std::string>> receive() override {
    const auto self = shared_from_this();
    beast::flat_buffer message;
    const auto [error, bytes] = co_await stream_.async_read(message, awaited);
    if (error) co_return ended(url_, error);
    co_return beast::buffers_to_string(message.data());
  }

  void close() override { stream_.next_layer().connection().close(); }

 private:
  Url url_;
  websocket::stream<Line, false> stream_;
};

}  // namespace

Awaitable<Result<std::shared_ptr<WebSocket>>> upgrade_to_web_socket(
    asio::any_io_executor loop, std::shared_ptr<Connection> connection, Url url,
    HttpRequest request, std::string authorization) {
  const auto socket =
      std::make_shared<LineSocket>(std::move(loop), std::move(connection), std::move(url));
  GW_CO_CHECK(co_await socket->shake_hands(std::move(request), std::move(authorization)));
  co_return socket;
}

}  // namespace gateway::core::net
