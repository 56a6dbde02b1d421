#include "adapters/frame/listeners.h"

#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>
#include <thread>

#include "adapters/frame/session.h"
#include "core/log.h"
#include "core/net/unix_listener.h"
#include "core/text.h"

namespace gateway::adapters::frame {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using local = asio::local::stream_protocol;
using boost::system::error_code;
using core::cat;
using core::net::Awaitable;

constexpr std::chrono::seconds kTurn{1};
constexpr int kLocalBacklog = 16;
constexpr std::chrono::milliseconds kAcceptPause{200};  // when the process is out of descriptors

class Server final : public Listeners {
 public:
  ~Server() override { stop(); }

  void add(ListenerOptions options, MakeConversation make) override {
    wanted_.push_back({std::move(options), std::move(make)});
  }

  core::Status start() override {
    if (thread_.joinable()) return {};
    loop_ = std::make_unique<asio::io_context>(1);
    stopping_ = false;
    for (const Wanted& wanted : wanted_) {
      if (auto opened = open(wanted); !opened.ok()) {
        forget_listeners();
        loop_.reset();
        return opened;
      }
    }
    for (auto& listener : listeners_) {
      asio::co_spawn(*loop_, accept(*listener, listener->acceptor), asio::detached);
      asio::co_spawn(*loop_, accept(*listener, listener->local_acceptor), asio::detached);
    }
    asio::co_spawn(*loop_, count_turns(), asio::detached);
    thread_ = std::thread([this] { loop_->run(); });
    return {};
  }

  void stop() override {
    if (!thread_.joinable()) return;
    asio::post(*loop_, [this] {
      stopping_ = true;
      turn_timer_->cancel();
      error_code ignored;
      for (auto& listener : listeners_) {
        listener->acceptor.close(ignored);
        listener->local_acceptor.close(ignored);
        listener->pause.cancel();
        for (const auto& session : std::set(listener->sessions)) session->close();
      }
    });
    thread_.join();
    forget_listeners();
    turn_timer_.reset();
    loop_.reset();
    connections_ = 0;
  }

  std::uint16_t port(const std::string& name) const override {
    for (const auto& listener : listeners_) {
      if (listener->wanted.options.name == name) return listener->port;
    }
    return 0;
  }
  std::size_t connections() const override { return connections_; }
  std::optional<std::uint64_t> turns() const override {
    if (!thread_.joinable()) return std::nullopt;
    return turns_.load();
  }

 private:
  struct Wanted {
    ListenerOptions options;
    MakeConversation make;
  };
  struct Listener {
    Listener(asio::io_context& loop, const Wanted& what)
        : wanted(what), acceptor(loop), local_acceptor(loop), pause(loop) {}
    const Wanted& wanted;
    tcp::acceptor acceptor;
    local::acceptor local_acceptor;  // one of the two is open
    asio::steady_timer pause;
    std::uint16_t port = 0;
    std::unique_ptr<core::net::TlsServer> tls;  // null: plain
    std::set<std::shared_ptr<Session>> sessions;
  };

  /// A socket's file without a listener would look as if somebody were there.
  void forget_listeners() {
    for (const auto& listener : listeners_) {
      const std::string& path = listener->wanted.options.path;
      if (!path.empty()) ::unlink(path.c_str());
    }
    listeners_.clear();
  }

  core::Status open_local(const Wanted& wanted) {
    auto listener = std::make_unique<Listener>(*loop_, wanted);
    auto opened =
        core::net::listen_at(listener->local_acceptor, wanted.options.path, kLocalBacklog);
    if (!opened.ok())
      return std::move(opened).error().with_context(cat("device ", wanted.options.name));
    listeners_.push_back(std::move(listener));
    return {};
  }

  core::Status open(const Wanted& wanted) {
    const ListenerOptions& options = wanted.options;
    if (!options.path.empty()) return open_local(wanted);
    auto listener = std::make_unique<Listener>(*loop_, wanted);
    if (!options.tls.certificate_file.empty()) {
      auto tls = core::net::TlsServer::create(options.tls);
      if (!tls.ok()) return std::move(tls).error().with_context(cat("device ", options.name));
      listener->tls = std::move(*tls);
    }
    error_code error;
    const auto address = asio::ip::make_address(options.bind, error);
    if (!error) {
      const tcp::endpoint endpoint(address, options.port);
      listener->acceptor.open(endpoint.protocol(), error);
      if (!error) listener->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
      if (!error) listener->acceptor.bind(endpoint, error);
      if (!error) listener->acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
      return core::Error(core::Code::io,
                         cat("device ", options.name, ": cannot listen on ", options.bind, ":",
                             options.port, ": ", error.message(), "; change device.", options.name,
                             ".bind or .port, or stop what uses it"));
    }
    listener->port = listener->acceptor.local_endpoint(error).port();
    listeners_.push_back(std::move(listener));
    return {};
  }

  template <class Acceptor>
  Awaitable<void> accept(Listener& listener, Acceptor& acceptor) {
    while (!stopping_ && acceptor.is_open()) {
      auto [error, socket] = co_await acceptor.async_accept(kAwaitOutcome);
      if (stopping_ || error == asio::error::operation_aborted) co_return;
      if (error) {
        listener.pause.expires_after(kAcceptPause);
        co_await listener.pause.async_wait(kAwaitOutcome);
        continue;
      }
      begin(listener, std::move(socket));
    }
  }

  static bool is_full(const Listener& listener, const std::string& peer) {
    const ListenerOptions& options = listener.wanted.options;
    if (listener.sessions.size() < options.connections_max) return false;
    core::log_warn("devices", cat("device ", options.name, ": connection of ", peer,
                                  " refused: ", options.connections_max, " are open; see device.",
                                  options.name, ".max_connections"));
    return true;
  }

  // A socket that is not handed on is closed.
  void begin(Listener& listener, tcp::socket socket) {
    error_code ignored;
    const std::string peer = socket.remote_endpoint(ignored).address().to_string();
    if (is_full(listener, peer)) return;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    begin(listener, peer,
          listener.tls ? served_tls(std::move(socket), *listener.tls)
                       : plain_stream(std::move(socket)));
  }

  void begin(Listener& listener, local::socket socket) {
    const std::string peer = "a program here";
    if (!is_full(listener, peer)) begin(listener, peer, plain_stream(std::move(socket)));
  }

  void begin(Listener& listener, const std::string& peer, std::unique_ptr<ByteStream> stream) {
    if (!stream) return;
    const ListenerOptions& options = listener.wanted.options;
    auto session = std::make_shared<Session>(
        std::move(stream), listener.wanted.make(peer),
        SilenceLimits{options.idle_timeout, options.stall_timeout}, options.recorder);
    listener.sessions.insert(session);
    ++connections_;
    asio::co_spawn(*loop_, serve(options, session, peer),
                   [this, &listener, session](std::exception_ptr) {
                     session->close();
                     listener.sessions.erase(session);
                     --connections_;
                   });
  }

  static Awaitable<void> serve(const ListenerOptions& options, std::shared_ptr<Session> session,
                               std::string peer) {
    const std::string problem = co_await session->open(options.handshake_timeout);
    if (problem.empty()) co_return co_await session->run();
    core::log_warn("devices", cat("device ", options.name, ": no TLS with ", peer, ": ", problem,
                                  "; compare the device's settings with device.", options.name,
                                  ".certificate_file and .client_ca_file"));
  }

  Awaitable<void> count_turns() {
    turn_timer_ = std::make_unique<asio::steady_timer>(*loop_);
    while (!stopping_) {
      ++turns_;
      turn_timer_->expires_after(kTurn);
      co_await turn_timer_->async_wait(kAwaitOutcome);
    }
  }

  std::vector<Wanted> wanted_;
  std::unique_ptr<asio::io_context> loop_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<asio::steady_timer> turn_timer_;
  std::thread thread_;
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<std::size_t> connections_{0};
  bool stopping_ = false;
};

}  // namespace

std::unique_ptr<Listeners> Listeners::create() { return std::make_unique<Server>(); }

}  // namespace gateway::adapters::frame
