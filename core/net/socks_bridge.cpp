#include "core/net/socks_bridge.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "core/ids.h"
#include "core/net/connection.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto awaited = asio::as_tuple(asio::use_awaitable);
constexpr Milliseconds kOpenWithin{15'000};
constexpr std::size_t kPiece = 16'384;
constexpr std::uint8_t kVersion = 5;
constexpr std::uint8_t kByPassword = 2;
constexpr std::uint8_t kPasswordVersion = 1;
constexpr std::uint8_t kConnect = 1;
enum Address : std::uint8_t { kIpv4 = 1, kName = 3, kIpv6 = 4 };
// Answers, whole. The address in them is nobody's: only one connection is carried.
constexpr std::string_view kMethodChosen("\x05\x02", 2);
constexpr std::string_view kPasswordRight("\x01\x00", 2);
constexpr std::string_view kPasswordWrong("\x01\x01", 2);
constexpr std::string_view kOpened("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10);
constexpr std::string_view kHostUnreachable("\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00", 10);

class Bridge final : public SocksBridge {
 public:
  Bridge(HttpProxy proxy, Url server)
      : proxy_(std::move(proxy)),
        server_(std::move(server)),
        password_(new_uuid()),
        acceptor_(loop_),
        caller_(loop_) {}
  ~Bridge() override {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Status start() {
    error_code error;
    acceptor_.open(tcp::v4(), error);
    if (!error) acceptor_.bind({asio::ip::address_v4::loopback(), 0}, error);
    if (!error) acceptor_.listen(1, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) return Error(Code::unavailable, cat("no way to the proxy: ", error.message()));
    asio::co_spawn(loop_, carry(), asio::detached);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    Status started;
    try {
      thread_ = std::thread([this] { loop_.run(); });
    } catch (const std::system_error& failed) {
      started =
          Error(Code::unavailable, cat("no thread for the way to the proxy: ", failed.what()));
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  std::uint16_t port() const override { return port_; }
  const std::string& password() const override { return password_; }
  std::string failure() const override {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  using Bytes = std::vector<std::uint8_t>;

  /// The next caller replaces nobody: whoever does not know the password is hung up on.
  Awaitable<void> carry() {
    while (true) {
      auto [error, socket] = co_await acceptor_.async_accept(awaited);
      if (error) co_return;
      caller_ = std::move(socket);
      if (co_await is_welcome()) break;
      caller_.close(error);
    }
    error_code ignored;
    acceptor_.close(ignored);
    caller_.set_option(tcp::no_delay(true), ignored);
    const auto far = Connection::create(loop_.get_executor(), server_, {.proxy = &proxy_});
    const Status opened = co_await far->open(kOpenWithin);
    if (!opened.ok()) {
      {
        const std::lock_guard lock(mutex_);
        failure_ = opened.error().message();
      }
      co_await answer(kHostUnreachable);
      caller_.close(ignored);
      co_return;
    }
    if (!co_await answer(kOpened)) co_return;
    asio::co_spawn(loop_, carry_out(far), asio::detached);
    co_await carry_in(far);
    far->close();
    caller_.close(ignored);
  }

  /// Nothing: the caller has gone.
  Awaitable<std::optional<Bytes>> take(std::size_t count) {
    Bytes bytes(count);
    const auto [error, got] = co_await asio::async_read(caller_, asio::buffer(bytes), awaited);
    if (error) co_return std::nullopt;
    co_return bytes;
  }
  Awaitable<bool> answer(std::string_view bytes) {
    const auto [error, sent] = co_await asio::async_write(caller_, asio::buffer(bytes), awaited);
    co_return !error;
  }

  /// Greeting, password, request.
  Awaitable<bool> is_welcome() {
    const auto greeting = co_await take(2);
    if (!greeting || (*greeting)[0] != kVersion) co_return false;
    const auto methods = co_await take((*greeting)[1]);
    if (!methods || std::ranges::count(*methods, kByPassword) == 0) co_return false;
    if (!co_await answer(kMethodChosen)) co_return false;
    if (!co_await knows_password()) co_return false;
    const auto request = co_await take(4);
    if (!request || (*request)[0] != kVersion || (*request)[1] != kConnect) co_return false;
    std::size_t rest = 2;  // the port
    if ((*request)[3] == kIpv4) rest += 4;
    if ((*request)[3] == kIpv6) rest += 16;
    if ((*request)[3] == kName) {
      const auto length = co_await take(1);
      if (!length) co_return false;
      rest += (*length)[0];
    }
    const auto asked = co_await take(rest);
    co_return asked.has_value();
  }

  Awaitable<bool> knows_password() {
    const auto head = co_await take(2);
    if (!head || (*head)[0] != kPasswordVersion) co_return false;
    const auto name = co_await take((*head)[1]);
    if (!name) co_return false;
    const auto length = co_await take(1);
    if (!length) co_return false;
    const auto told = co_await take((*length)[0]);
    const bool knows = told && std::ranges::equal(*told, password_);
    const bool told_so = co_await answer(knows ? kPasswordRight : kPasswordWrong);
    co_return knows&& told_so;
  }

  Awaitable<void> carry_out(std::shared_ptr<Connection> far) {
    std::array<char, kPiece> piece{};
    while (true) {
      const auto [error, got] = co_await caller_.async_read_some(asio::buffer(piece), awaited);
      std::string_view left(piece.data(), got);
      while (!error && !left.empty()) {
        const Connection::Moved moved = co_await far->write_some(left);
        if (moved.end != Connection::End::none) break;
        left.remove_prefix(moved.bytes);
      }
      if (error || !left.empty()) break;
    }
    far->close();  // ends carry_in() too
  }

  Awaitable<void> carry_in(std::shared_ptr<Connection> far) {
    std::array<char, kPiece> piece{};
    while (true) {
      const Connection::Moved moved = co_await far->read_some(piece);
      if (moved.end != Connection::End::none) co_return;
      const auto [error, sent] =
          co_await asio::async_write(caller_, asio::buffer(piece.data(), moved.bytes), awaited);
      if (error) co_return;
    }
  }

  const HttpProxy proxy_;
  const Url server_;
  const std::string password_;
  std::uint16_t port_ = 0;
  asio::io_context loop_{1};
  tcp::acceptor acceptor_;
  tcp::socket caller_;
  mutable std::mutex mutex_;
  std::string failure_;
  std::thread thread_;
};

}  // namespace

Result<Url> read_socks_proxy(std::string_view url) {
  constexpr std::string_view kScheme = "socks5://";
  const Error wrong(Code::invalid, "a proxy is written http://HOST:PORT or socks5://HOST:PORT");
  if (!url.starts_with(kScheme)) return wrong;
  auto read = parse_url(cat("http://", url.substr(kScheme.size())));
  if (!read.ok() || !read->base.empty()) return wrong;
  return read;
}

Result<std::unique_ptr<SocksBridge>> SocksBridge::open(HttpProxy proxy, Url server) {
  auto bridge = std::make_unique<Bridge>(std::move(proxy), std::move(server));
  GW_CHECK(bridge->start());
  return std::unique_ptr<SocksBridge>(std::move(bridge));
}

}  // namespace gateway::core::net
