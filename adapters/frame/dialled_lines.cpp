#include "adapters/frame/dialled_lines.h"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <list>
#include <mutex>
#include <thread>

#include "adapters/frame/session.h"
#include "core/text.h"

namespace gateway::adapters::frame {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using core::cat;
using core::net::Awaitable;
using Serial = asio::serial_port_base;

constexpr std::chrono::seconds kRetry{5};
constexpr std::chrono::seconds kConnectPatience{10};
constexpr std::chrono::seconds kTurn{1};

error_code configure(asio::serial_port& port, const LineOptions& options) {
  const char parity = options.format.size() == 3 ? options.format[1] : 'N';
  error_code error;
  port.set_option(Serial::baud_rate(options.baud), error);
  if (!error) port.set_option(Serial::character_size(options.format[0] == '7' ? 7U : 8U), error);
  const auto kind = parity == 'E'   ? Serial::parity::even
                    : parity == 'O' ? Serial::parity::odd
                                    : Serial::parity::none;
  if (!error) port.set_option(Serial::parity(kind), error);
  const bool has_two = options.format.ends_with('2');
  const auto stop = has_two ? Serial::stop_bits::two : Serial::stop_bits::one;
  if (!error) port.set_option(Serial::stop_bits(stop), error);
  if (!error) port.set_option(Serial::flow_control(Serial::flow_control::none), error);
  return error;
}

/// A name that is being resolved. Its thread cannot be broken off while DNS is away, so nobody
/// waits for it to end: what it found it leaves on the loop, which it keeps. On the loop.
struct Lookup {
  explicit Lookup(asio::io_context& loop) : ended(loop, asio::steady_timer::time_point::max()) {}
  asio::steady_timer ended;  // cancelled: it has, or the wait has
  bool has_ended = false;
  error_code error;
  std::vector<tcp::endpoint> found;
};

std::shared_ptr<Lookup> look_up(const std::shared_ptr<asio::io_context>& loop,
                                const LineOptions& options) {
  auto lookup = std::make_shared<Lookup>(*loop);
  error_code not_address;
  const auto address = asio::ip::make_address(options.host, not_address);
  if (!not_address) {
    lookup->found.emplace_back(address, options.port);
    lookup->has_ended = true;
    return lookup;
  }
  std::thread([loop, lookup, host = options.host, port = std::to_string(options.port)] {
    asio::io_context own;
    error_code error;
    const auto entries = tcp::resolver(own).resolve(host, port, error);
    asio::post(*loop, [lookup, error, entries] {
      lookup->error = error;
      for (const auto& entry : entries) lookup->found.push_back(entry.endpoint());
      lookup->has_ended = true;
      lookup->ended.cancel();
    });
  }).detach();
  return lookup;
}

class Lines final : public DialledLines {
 public:
  ~Lines() override { stop(); }

  void add(LineOptions options, MakeConversation make) override {
    lines_.emplace_back(std::move(options), std::move(make));
  }

  void start() override {
    if (thread_.joinable() || lines_.empty()) return;
    loop_ = std::make_shared<asio::io_context>(1);
    stopping_ = false;
    turn_timer_ = std::make_unique<asio::steady_timer>(*loop_);
    for (Line& line : lines_) {
      line.pause = std::make_unique<asio::steady_timer>(*loop_);
      asio::co_spawn(*loop_, keep(line), asio::detached);
    }
    asio::co_spawn(*loop_, count_turns(), asio::detached);
    thread_ = std::thread([this] { loop_->run(); });
  }

  void stop() override {
    if (!thread_.joinable()) return;
    asio::post(*loop_, [this] {
      stopping_ = true;
      turn_timer_->cancel();
      for (Line& line : lines_) {
        line.pause->cancel();
        if (line.close) line.close();
      }
    });
    thread_.join();
    for (Line& line : lines_) {
      line.pause.reset();
      line.lookup.reset();
    }
    turn_timer_.reset();
    loop_.reset();
  }

  std::string problem(const std::string& name) const override {
    const std::lock_guard lock(mutex_);
    for (const Line& line : lines_) {
      if (line.options.name == name) return line.problem;
    }
    return {};
  }
  std::size_t connections() const override { return connections_; }
  std::optional<std::uint64_t> turns() const override {
    if (!thread_.joinable()) return std::nullopt;
    return turns_.load();
  }

 private:
  struct Line {
    Line(LineOptions what, MakeConversation how) : options(std::move(what)), make(std::move(how)) {}
    const LineOptions options;
    const MakeConversation make;
    std::unique_ptr<asio::steady_timer> pause;
    std::shared_ptr<Lookup> lookup;  // of the last call, while it has not ended
    std::function<void()> close;     // ends what is open or being opened
    std::string problem;
  };

  void note(Line& line, std::string problem) {
    const std::lock_guard lock(mutex_);
    line.problem = std::move(problem);
  }

  Awaitable<void> keep(Line& line) {
    while (!stopping_) {
      if (line.options.serial_port.empty()) {
        co_await call(line);
      } else {
        co_await serve_serial(line);
      }
      line.close = nullptr;
      if (stopping_) co_return;
      line.pause->expires_after(kRetry);
      co_await line.pause->async_wait(kAwaitOutcome);
    }
  }

  Awaitable<void> serve_serial(Line& line) {
    const LineOptions& options = line.options;
    asio::serial_port port(*loop_);
    error_code error;
    port.open(options.serial_port, error);
    if (!error) error = configure(port, options);
    if (error) {
      note(line, cat("serial port ", options.serial_port, ": ", error.message(),
                     "; plug it in, or let user clinic-gateway open it (group dialout)"));
      co_return;
    }
    co_await serve(line, session_of(line, plain_stream(std::move(port)), options.serial_port));
    note(line, cat("serial port ", options.serial_port, " went away"));
  }

  Awaitable<void> call(Line& line) {
    const LineOptions& options = line.options;
    if (!line.lookup) line.lookup = look_up(loop_, options);
    const std::shared_ptr<Lookup> lookup = line.lookup;
    tcp::socket socket(*loop_);
    line.close = [lookup, &socket] {
      lookup->ended.cancel();
      error_code ignored;
      socket.close(ignored);
    };
    line.pause->expires_after(kConnectPatience);
    const auto is_calling = std::make_shared<bool>(true);
    line.pause->async_wait([&line, is_calling](error_code error) {
      if (!error && *is_calling) line.close();
    });
    if (!lookup->has_ended) co_await lookup->ended.async_wait(kAwaitOutcome);
    error_code error = lookup->has_ended ? lookup->error : asio::error::timed_out;
    if (lookup->has_ended) line.lookup.reset();
    if (!error && !stopping_) {
      const auto [failed, endpoint] =
          co_await asio::async_connect(socket, lookup->found, kAwaitOutcome);
      error = failed;
    }
    *is_calling = false;
    line.close = nullptr;
    line.pause->cancel();
    if (error || stopping_) {
      note(line, cat("no connection to ", options.host, ":", options.port, ": ", error.message(),
                     "; switch the device on, or change device.", options.name, ".host"));
      co_return;
    }
    socket.set_option(tcp::no_delay(true), error);
    socket.set_option(asio::socket_base::keep_alive(true), error);
    auto stream = stream_of(options, std::move(socket));
    if (!stream.ok()) co_return note(line, stream.error().message());
    const auto session = session_of(line, std::move(*stream), options.host);
    line.close = [&session] { session->close(); };
    const std::string problem = co_await session->open(kConnectPatience);
    if (!problem.empty()) {
      co_return note(
          line, cat("no TLS with the device at ", options.host, ":", options.port, ": ", problem,
                    "; see device.", options.name, ".ca_file and .certificate_file"));
    }
    co_await serve(line, session);
    const std::string why = session->tls_problem();
    note(line, cat("the device at ", options.host, " ended the connection",
                   why.empty() ? "" : cat(" (", why, ")")));
  }

  /// The files are read at each call: a certificate that was renewed is shown from the next on.
  static core::Result<std::unique_ptr<ByteStream>> stream_of(const LineOptions& options,
                                                             tcp::socket socket) {
    if (!options.tls) return plain_stream(std::move(socket));
    auto context = core::net::TlsContext::create(*options.tls);
    if (!context.ok()) return std::move(context).error().with_context(cat("device.", options.name));
    auto stream = called_tls(std::move(socket), std::move(*context));
    if (!stream) return core::Error(core::Code::internal, "no memory for TLS");
    return stream;
  }

  static std::shared_ptr<Session> session_of(const Line& line, std::unique_ptr<ByteStream> stream,
                                             const std::string& peer) {
    return std::make_shared<Session>(std::move(stream), line.make(peer), SilenceLimits{},
                                     line.options.recorder);
  }

  Awaitable<void> serve(Line& line, std::shared_ptr<Session> session) {
    line.close = [&session] { session->close(); };
    note(line, "");
    ++connections_;
    co_await session->run();
    --connections_;
    line.close = nullptr;
  }

  Awaitable<void> count_turns() {
    while (!stopping_) {
      ++turns_;
      turn_timer_->expires_after(kTurn);
      co_await turn_timer_->async_wait(kAwaitOutcome);
    }
  }

  std::list<Line> lines_;
  std::shared_ptr<asio::io_context> loop_;
  std::unique_ptr<asio::steady_timer> turn_timer_;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<std::size_t> connections_{0};
  bool stopping_ = false;
};

}  // namespace

std::unique_ptr<DialledLines> DialledLines::create() { return std::make_unique<Lines>(); }

}  // namespace gateway::adapters::frame
