#include "adapters/frame/byte_stream.h"

#include <boost/asio/write.hpp>

namespace gateway::adapters::frame {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using core::net::Awaitable;
using core::net::TlsLine;

template <class Device>
class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(Device device) : device_(std::move(device)) {}

  asio::any_io_executor executor() override { return device_.get_executor(); }
  Awaitable<Outcome> shake_hands() override { co_return Outcome(); }
  Awaitable<Moved> read_some(std::span<char> bytes) override {
    const asio::mutable_buffer buffer(bytes.data(), bytes.size());
    const auto [error, count] = co_await device_.async_read_some(buffer, kAwaitOutcome);
    co_return Moved{error, count};
  }
  Awaitable<Outcome> write(std::string_view bytes) override {
    const asio::const_buffer buffer(bytes.data(), bytes.size());
    const auto [error, count] = co_await asio::async_write(device_, buffer, kAwaitOutcome);
    co_return error;
  }
  void interrupt() override {
    error_code ignored;
    device_.cancel(ignored);
  }
  void close() override {
    error_code ignored;
    device_.close(ignored);
  }
  std::string tls_problem() override { return {}; }

 private:
  Device device_;
};

class TlsStream final : public ByteStream {
 public:
  /// `context`: of the client's end, else null.
  TlsStream(tcp::socket socket, std::unique_ptr<core::net::TlsContext> context,
            std::unique_ptr<TlsLine> line)
      : socket_(std::move(socket)), context_(std::move(context)), line_(std::move(line)) {}
  ~TlsStream() override { TlsStream::close(); }

  asio::any_io_executor executor() override { return socket_.get_executor(); }

  Awaitable<Outcome> shake_hands() override {
    return until_moved([this] { return line_->shake_hands(); });
  }

  Awaitable<Moved> read_some(std::span<char> bytes) override {
    was_interrupted_ = false;
    Moved moved;
    moved.error = co_await until_moved([&] {
      const TlsLine::Step step = line_->read(std::as_writable_bytes(bytes));
      moved.bytes = step.bytes;
      return step;
    });
    co_return moved;
  }

  Awaitable<Outcome> write(std::string_view bytes) override {
    was_interrupted_ = false;
    Outcome outcome;
    while (!bytes.empty() && !outcome) {
      outcome = co_await until_moved([&] {
        const TlsLine::Step step = line_->write(std::as_bytes(std::span(bytes)));
        bytes.remove_prefix(step.bytes);
        return step;
      });
    }
    co_return outcome;
  }

  void interrupt() override {
    was_interrupted_ = true;
    error_code ignored;
    socket_.cancel(ignored);
  }
  void close() override {
    if (!socket_.is_open()) return;
    line_->close();
    error_code ignored;
    socket_.close(ignored);
  }

  std::string tls_problem() override {
    // Which check the peer's certificate failed says more than OpenSSL's word for it.
    std::string failed = context_ ? context_->take_failure() : std::string();
    return failed.empty() ? line_->reason() : failed;
  }

 private:
  template <class Step>
  Awaitable<Outcome> until_moved(Step take) {
    while (socket_.is_open()) {
      const TlsLine::Step step = take();
      if (step.what == TlsLine::What::moved) co_return Outcome();
      if (step.what == TlsLine::What::closed) co_return asio::error::eof;
      if (step.what == TlsLine::What::failed) co_return asio::error::connection_aborted;
      const auto wanted = step.what == TlsLine::What::wants_to_read ? tcp::socket::wait_read
                                                                    : tcp::socket::wait_write;
      const auto [error] = co_await socket_.async_wait(wanted, kAwaitOutcome);
      if (error) co_return error;
      // A part of a record may have come at the same moment: without this it would be waited for
      // with nobody looking at the time.
      if (was_interrupted_) co_return asio::error::operation_aborted;
    }
    co_return asio::error::operation_aborted;
  }

  tcp::socket socket_;
  const std::unique_ptr<core::net::TlsContext> context_;  // outlives the line
  const std::unique_ptr<TlsLine> line_;
  bool was_interrupted_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> plain_stream(tcp::socket socket) {
  return std::make_unique<PlainStream<tcp::socket>>(std::move(socket));
}

std::unique_ptr<ByteStream> plain_stream(asio::local::stream_protocol::socket socket) {
  return std::make_unique<PlainStream<asio::local::stream_protocol::socket>>(std::move(socket));
}

std::unique_ptr<ByteStream> plain_stream(asio::serial_port port) {
  return std::make_unique<PlainStream<asio::serial_port>>(std::move(port));
}

std::unique_ptr<ByteStream> served_tls(tcp::socket socket, core::net::TlsServer& server) {
  auto line = server.take(socket.native_handle());
  if (!line) return nullptr;
  return std::make_unique<TlsStream>(std::move(socket), nullptr, std::move(line));
}

std::unique_ptr<ByteStream> called_tls(tcp::socket socket,
                                       std::unique_ptr<core::net::TlsContext> context) {
  auto line = context->take(socket.native_handle());
  if (!line) return nullptr;
  return std::make_unique<TlsStream>(std::move(socket), std::move(context), std::move(line));
}

}  // namespace gateway::adapters::frame
