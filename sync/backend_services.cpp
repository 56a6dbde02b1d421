#include "sync/backend_services.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "core/civil_time.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/net/url.h"
#include "core/text.h"

namespace gateway::sync {
namespace {

namespace asio = boost::asio;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;
using std::chrono::seconds;

constexpr seconds kAssertionLife{240};  // at most 300 by the specification
constexpr seconds kRenewBefore{30};
constexpr seconds kTokenLifeMax{3'600};
constexpr seconds kTokenLifeDefault{60};  // where the server does not say
constexpr seconds kClockOff{30};          // so much is worth another assertion

/// What HttpClient does not copy, because a source is read once.
HttpRequest again(const HttpRequest& request) {
  HttpRequest copy;
  copy.method = request.method;
  copy.target = request.target;
  copy.headers = request.headers;
  copy.body = request.body;
  copy.sink = request.sink;
  return copy;
}

/// RFC 6749 5.2; the server's own words, for the person who registered us there.
std::string refusal(const HttpResponse& answer) {
  std::string said;
  if (const auto body = Json::parse(answer.body); body.ok())
    said = core::cat(" ", (*body)["error"].text(), " ", (*body)["error_description"].text());
  return core::cat("the token server answered ", answer.status, said.substr(0, 300),
                   "; check client_id, client_key_id, scope and the public key registered there");
}

class BackendServicesClient final : public core::net::HttpClient {
 public:
  BackendServicesClient(asio::any_io_executor loop, std::shared_ptr<HttpClient> server,
                        std::shared_ptr<HttpClient> token_server, BackendServicesOptions options,
                        std::unique_ptr<crypto::JoseKey> key, const core::Clock& clock)
      : server_(std::move(server)),
        token_server_(std::move(token_server)),
        options_(std::move(options)),
        key_(std::move(key)),
        clock_(clock),
        fetched_(loop, asio::steady_timer::time_point::max()) {}

  Awaitable<core::Result<HttpResponse>> send(HttpRequest request) override {
    GW_CO_TRY(const std::string token, co_await valid_token());
    const bool may_repeat = !request.source;
    HttpRequest second = may_repeat ? again(request) : HttpRequest();
    request.headers.emplace_back("Authorization", core::cat("Bearer ", token));
    auto answer = co_await server_->send(std::move(request));
    constexpr int kUnauthorized = 401;
    if (!answer.ok() || answer->status != kUnauthorized || !may_repeat) co_return answer;
    // Revoked, or the server was set up anew. Another request may have fetched a new one already.
    if (token_ == token) token_.clear();
    GW_CO_TRY(const std::string fresh, co_await valid_token());
    second.headers.emplace_back("Authorization", core::cat("Bearer ", fresh));
    co_return co_await server_->send(std::move(second));
  }

  Awaitable<core::Result<std::shared_ptr<core::net::WebSocket>>> open_socket(
      HttpRequest request) override {
    GW_CO_TRY(const std::string token, co_await valid_token());
    request.headers.emplace_back("Authorization", core::cat("Bearer ", token));
    auto socket = co_await server_->open_socket(std::move(request));
    // Perhaps for the token's sake; whoever wants the socket tries again.
    if (!socket.ok() && socket.error().code() == Code::refused && token_ == token) token_.clear();
    co_return socket;
  }

  void close() override {
    closed_ = true;
    server_->close();
    token_server_->close();
    fetched_.cancel();
  }
  core::Milliseconds opening_time() const override { return server_->opening_time(); }

 private:
  Awaitable<core::Result<std::string>> valid_token() {
    while (fetching_ && !closed_) co_await fetched_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (closed_) co_return Error(Code::cancelled, "the gateway stops");
    if (!token_.empty() && clock_.monotonic() < renew_at_) co_return token_;
    fetching_ = true;
    const core::Status fetched = co_await fetch();
    fetching_ = false;
    fetched_.cancel();  // whoever waits goes on
    if (!fetched.ok()) co_return fetched.error();
    co_return token_;
  }

  Awaitable<core::Status> fetch() {
    GW_CO_TRY(HttpResponse answer, co_await ask());
    if (answer.status >= 400 && answer.status < 500 && put_clock_right(answer)) {
      GW_CO_TRY(answer, co_await ask());
    }
    if (answer.status != 200) co_return Error(Code::unavailable, refusal(answer));
    const auto told = Json::parse(answer.body);
    if (!told.ok() || (*told)["access_token"].text().empty())
      co_return Error(Code::unavailable, "the token server's answer holds no access_token");
    (void)put_clock_right(answer);
    token_ = (*told)["access_token"].text();
    const auto said = (*told)["expires_in"].integer();
    const seconds life =
        std::clamp(said ? seconds(*said) : kTokenLifeDefault, seconds(1), kTokenLifeMax);
    renew_at_ = clock_.monotonic() + std::max(life - kRenewBefore, life / 2);
    co_return core::Status();
  }

  Awaitable<core::Result<HttpResponse>> ask() {
    GW_CO_TRY(const auto url, core::net::parse_url(options_.token_url));
    GW_CO_TRY(const std::string assertion,
              client_assertion(options_, *key_, clock_.wall() + clock_is_behind_,
                               core::new_uuid(clock_)));
    HttpRequest request;
    request.method = "POST";
    request.target = url.base.empty() ? "/" : url.base;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                       {"Accept", "application/json"}};
    request.body = core::cat(
        "grant_type=client_credentials&client_assertion_type="
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=",
        assertion, "&scope=", core::net::url_encode(options_.scope));
    co_return co_await token_server_->send(std::move(request));
  }

  /// True where the server's clock says otherwise than what was used.
  bool put_clock_right(const HttpResponse& answer) {
    const auto served_at = core::parse_http_date(answer.header("date"));
    if (!served_at) return false;
    const auto behind = std::chrono::duration_cast<seconds>(*served_at - clock_.wall());
    const bool was_off = std::chrono::abs(behind - clock_is_behind_) > kClockOff;
    clock_is_behind_ = behind;
    return was_off;
  }

  std::shared_ptr<HttpClient> server_;
  std::shared_ptr<HttpClient> token_server_;
  BackendServicesOptions options_;
  std::unique_ptr<crypto::JoseKey> key_;
  const core::Clock& clock_;
  asio::steady_timer fetched_;  // never rings: cancelled when a fetch has ended
  std::string token_;
  core::Monotonic renew_at_{};
  seconds clock_is_behind_{0};
  bool fetching_ = false;
  bool closed_ = false;
};

}  // namespace

core::Result<std::string> client_assertion(const BackendServicesOptions& options,
                                           const crypto::JoseKey& key, core::Wall now,
                                           const std::string& id) {
  const Json header =
      Json::object({{"alg", key.algorithm()}, {"kid", options.key_id}, {"typ", "JWT"}});
  const std::int64_t at = std::chrono::duration_cast<seconds>(now.time_since_epoch()).count();
  const Json claims = Json::object({{"iss", options.client_id},
                                    {"sub", options.client_id},
                                    {"aud", options.token_url},
                                    {"exp", at + kAssertionLife.count()},
                                    {"jti", id}});
  return key.sign(header.dump(), claims.dump());
}

std::shared_ptr<core::net::HttpClient> with_backend_services(
    asio::any_io_executor loop, std::shared_ptr<core::net::HttpClient> server,
    std::shared_ptr<core::net::HttpClient> token_server, BackendServicesOptions options,
    std::unique_ptr<crypto::JoseKey> key, const core::Clock& clock) {
  return std::make_shared<BackendServicesClient>(std::move(loop), std::move(server),
                                                 std::move(token_server), std::move(options),
                                                 std::move(key), clock);
}

}  // namespace gateway::sync
