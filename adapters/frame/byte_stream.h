// What a device's connection is made of: a TCP socket, plain or under TLS, a Unix socket, or a
// serial port. On one
// io_context thread, one reader or writer at a time. For the .cpp files of this folder: it brings
// Asio along.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/serial_port.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/net/http.h"
#include "core/net/tls_context.h"
#include "core/net/tls_server.h"

namespace gateway::adapters::frame {

inline constexpr auto kAwaitOutcome = boost::asio::as_tuple(boost::asio::use_awaitable);

class ByteStream {
 public:
  using Outcome = boost::system::error_code;
  struct Moved {
    Outcome error;
    std::size_t bytes = 0;
  };
  virtual ~ByteStream() = default;
  virtual boost::asio::any_io_executor executor() = 0;
  /// What has to be done before the first byte; nothing where the stream is plain.
  virtual core::net::Awaitable<Outcome> shake_hands() = 0;
  /// At least one byte, or an error.
  virtual core::net::Awaitable<Moved> read_some(std::span<char> bytes) = 0;
  /// All of it, or an error.
  virtual core::net::Awaitable<Outcome> write(std::string_view bytes) = 0;
  /// A read that waits ends with operation_aborted; what came meanwhile is read by the next.
  virtual void interrupt() = 0;
  /// What waits ends.
  virtual void close() = 0;
  /// Why TLS failed, for a person; empty: it did not.
  virtual std::string tls_problem() = 0;
};

std::unique_ptr<ByteStream> plain_stream(boost::asio::ip::tcp::socket socket);
std::unique_ptr<ByteStream> plain_stream(boost::asio::local::stream_protocol::socket socket);
std::unique_ptr<ByteStream> plain_stream(boost::asio::serial_port port);
/// The server's end of TLS; `server` outlives it. Null: out of memory.
std::unique_ptr<ByteStream> served_tls(boost::asio::ip::tcp::socket socket,
                                       core::net::TlsServer& server);
/// The client's end. Null: out of memory.
std::unique_ptr<ByteStream> called_tls(boost::asio::ip::tcp::socket socket,
                                       std::unique_ptr<core::net::TlsContext> context);

}  // namespace gateway::adapters::frame
