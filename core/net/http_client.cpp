#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/net/connection.h"
#include "core/net/http.h"
#include "core/net/http_exchange.h"
#include "core/net/http_wire.h"
#include "core/net/tls_context.h"
#include "core/net/url.h"
#include "core/net/web_socket.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t waiting_max = 256;
// Long enough for a burst of requests, shorter than what NAT boxes and common servers keep.
constexpr Milliseconds rest_max{15'000};

/// How long a connection may rest: the server's Keep-Alive hint, taken short, since the answer was
/// some time on its way.
Milliseconds rest_time(const HttpResponse& response) {
  const std::string hint = to_lower_ascii(response.header("Keep-Alive"));
  const auto at = hint.find("timeout=");
  if (at == hint.npos) return rest_max;
  std::int64_t seconds = 0;
  std::from_chars(hint.data() + at + 8, hint.data() + hint.size(), seconds);
  return std::clamp(Milliseconds(std::clamp<std::int64_t>(seconds, 0, 60) * 500), Milliseconds(1),
                    rest_max);
}

bool is_safe(std::string_view method) { return method == "GET" || method == "HEAD"; }

std::optional<std::uint64_t> content_length(const HttpRequest& request) {
  if (request.source) return request.source->size();
  const bool body_expected =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (request.body.empty() && !body_expected) return std::nullopt;
  return request.body.size();
}

class PooledClient final : public HttpClient, public std::enable_shared_from_this<PooledClient> {
 public:
  PooledClient(asio::any_io_executor loop, HttpClientOptions options, Url url,
               std::unique_ptr<TlsContext> tls, std::optional<HttpProxy> proxy)
      : loop_(std::move(loop)),
        options_(std::move(options)),
        url_(std::move(url)),
        tls_(std::move(tls)),
        proxy_(std::move(proxy)) {
    if (options_.send_bytes_per_second > 0) pace_.emplace(options_.send_bytes_per_second);
    if (!options_.username.empty()) {
      authorization_ = basic_authorization(options_.username, options_.password);
    }
  }
  ~PooledClient() override { close(); }

  Awaitable<Result<HttpResponse>> send(HttpRequest request) override;
  Awaitable<Result<std::shared_ptr<WebSocket>>> open_socket(HttpRequest request) override;
  void close() override;
  Milliseconds opening_time() const override { return opening_time_; }

 private:
  /// Somebody's turn in the queue for a connection.
  struct Turn {
    explicit Turn(const asio::any_io_executor& loop)
        : bell(loop, std::chrono::steady_clock::time_point::max()) {}
    asio::steady_timer bell;
    bool granted = false;
  };

  /// The right to use one connection; given back, or taken out of the queue, however the coroutine
  /// ends.
  class Slot {
   public:
    explicit Slot(PooledClient& client) : client_(client) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot();
    std::shared_ptr<Turn> turn;  // set while waiting
    bool held = false;

   private:
    PooledClient& client_;
  };

  /// A connection in use: closed when the coroutine goes away with it.
  struct Lease {
    std::shared_ptr<Connection> connection;
    Lease() = default;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (connection) connection->close();
    }
  };

  Awaitable<Status> take_turn(Slot& slot);
  Awaitable<Result<HttpResponse>> send_over_pool(const HttpRequest& request,
                                                 const std::string& head);
  Awaitable<Status> connect(Lease& lease);
  void note_opening(std::chrono::steady_clock::duration took);
  bool take_resting(Lease& lease);
  void pass_on();

  asio::any_io_executor loop_;
  HttpClientOptions options_;
  Url url_;
  std::unique_ptr<TlsContext> tls_;
  std::optional<HttpProxy> proxy_;
  std::optional<SendPace> pace_;
  std::string authorization_;
  bool closed_ = false;
  Milliseconds opening_time_{0};
  std::size_t in_use_ = 0;
  std::deque<std::shared_ptr<Turn>> waiting_;
  std::vector<std::shared_ptr<Connection>> resting_;
  std::vector<std::weak_ptr<Connection>> running_;
};

PooledClient::Slot::~Slot() {
  if (turn && !turn->granted) std::erase(client_.waiting_, turn);
  if (held || (turn && turn->granted)) client_.pass_on();
}

void PooledClient::pass_on() {
  if (waiting_.empty()) {
    --in_use_;
    return;
  }
  const auto next = waiting_.front();
  waiting_.pop_front();
  next->granted = true;
  next->bell.cancel();
}

Awaitable<Status> PooledClient::take_turn(Slot& slot) {
  if (closed_) co_return Error(Code::cancelled, "the client is closed");
  if (in_use_ < options_.connections_max) {
    ++in_use_;
    slot.held = true;
    co_return Status();
  }
  if (waiting_.size() >= waiting_max) {
    co_return Error(Code::busy, cat(url_.peer(), ": ", waiting_max, " requests wait already"));
  }
  slot.turn = std::make_shared<Turn>(loop_);
  waiting_.push_back(slot.turn);
  co_await slot.turn->bell.async_wait(asio::as_tuple(asio::use_awaitable));
  if (closed_ || !slot.turn->granted) co_return Error(Code::cancelled, "the client is closed");
  co_return Status();
}

bool PooledClient::take_resting(Lease& lease) {
  while (!resting_.empty()) {
    auto connection = std::move(resting_.back());
    resting_.pop_back();
    if (connection->stale()) continue;
    lease.connection = std::move(connection);
    return true;
  }
  return false;
}

/// One that was held up by a lost packet or a busy box is not believed; several are.
void PooledClient::note_opening(std::chrono::steady_clock::duration took) {
  const auto took_ms = std::max(Milliseconds(1), std::chrono::duration_cast<Milliseconds>(took));
  const bool is_first = opening_time_ == Milliseconds(0);
  opening_time_ = is_first ? took_ms : std::min(took_ms, 2 * opening_time_);
}

Awaitable<Status> PooledClient::connect(Lease& lease) {
  lease.connection = Connection::create(
      loop_, url_, {tls_.get(), proxy_ ? &*proxy_ : nullptr, pace_ ? &*pace_ : nullptr});
  std::erase_if(running_, [](const auto& entry) { return entry.expired(); });
  running_.push_back(lease.connection);
  const auto began = std::chrono::steady_clock::now();
  Status opened = co_await lease.connection->open(options_.connect_timeout);
  if (opened.ok()) note_opening(std::chrono::steady_clock::now() - began);
  co_return opened;
}

Awaitable<Result<HttpResponse>> PooledClient::send(HttpRequest request) {
  const auto self = shared_from_this();
  auto head = request_head(request, url_, authorization_, content_length(request));
  if (!head.ok()) co_return std::move(head).error();
  Slot slot(*this);
  Status turn = co_await take_turn(slot);
  if (!turn.ok()) co_return std::move(turn).error();
  Result<HttpResponse> answer = co_await send_over_pool(request, *head);
  co_return answer;
}

Awaitable<Result<HttpResponse>> PooledClient::send_over_pool(const HttpRequest& request,
                                                             const std::string& head) {
  const ExchangeLimits limits{options_.idle_timeout, options_.response_max};
  for (bool may_rest = true;; may_rest = false) {
    Lease lease;
    const bool rested = may_rest && take_resting(lease);
    if (!rested) {
      Status opened = co_await connect(lease);
      if (!opened.ok()) co_return std::move(opened).error();
    }
    ExchangeOutcome outcome = co_await exchange(*lease.connection, request, head, limits);
    // The server may close a resting connection at the very moment we pick it up. That is nobody's
    // fault, but only a request that cannot have been processed, or may be repeated, is sent again.
    const bool repeatable = outcome.nothing_sent || is_safe(request.method);
    if (rested && outcome.closed_unheard && repeatable && !outcome.source_touched) continue;
    if (!outcome.answer.ok()) {
      co_return std::move(outcome.answer).with_context(url_.peer());
    }
    if (outcome.reusable && !closed_) {
      lease.connection->rest(rest_time(*outcome.answer));
      resting_.push_back(std::move(lease.connection));
    }
    co_return std::move(outcome.answer);
  }
}

Awaitable<Result<std::shared_ptr<WebSocket>>> PooledClient::open_socket(HttpRequest request) {
  const auto self = shared_from_this();
  if (closed_) co_return Error(Code::cancelled, "the client is closed");
  // Only what can be written down as HTTP goes on.
  if (const auto head = request_head(request, url_, authorization_, {}); !head.ok())
    co_return head.error();
  Lease lease;
  GW_CO_CHECK(co_await connect(lease));
  co_return co_await upgrade_to_web_socket(loop_, std::exchange(lease.connection, nullptr), url_,
                                           std::move(request), authorization_);
}

void PooledClient::close() {
  closed_ = true;
  for (const auto& connection : std::exchange(resting_, {})) connection->close();
  for (const auto& entry : std::exchange(running_, {})) {
    if (const auto connection = entry.lock()) connection->close();
  }
  for (const auto& turn : std::exchange(waiting_, {})) turn->bell.cancel();
}

}  // namespace

Awaitable<Result<std::shared_ptr<WebSocket>>> HttpClient::open_socket(HttpRequest) {
  co_return Error(Code::invalid, "this client opens no WebSocket");
}

Result<std::shared_ptr<HttpClient>> HttpClient::create(boost::asio::any_io_executor loop,
                                                       HttpClientOptions options) {
  GW_TRY(Url url, parse_url(options.url));
  if (!url.tls && !options.plain_allowed && !url.loopback()) {
    return Error(Code::invalid,
                 cat("http:// to ", url.peer(), " would send data in the clear; use https://"));
  }
  if (options.connections_max == 0)
    return Error(Code::invalid, "connections_max must be at least 1");
  std::unique_ptr<TlsContext> tls;
  if (url.tls) {
    GW_TRY(tls, TlsContext::create(
                    {url.host, options.ca_file, options.certificate_file, options.key_file}));
  }
  std::optional<HttpProxy> proxy;
  if (!options.proxy.empty()) {
    GW_TRY(proxy, read_proxy(options.proxy, options.proxy_username, options.proxy_password));
  }
  return std::shared_ptr<HttpClient>(std::make_shared<PooledClient>(
      std::move(loop), std::move(options), std::move(url), std::move(tls), std::move(proxy)));
}

}  // namespace gateway::core::net
