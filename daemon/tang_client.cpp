#include "daemon/tang_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::net::Awaitable;
using core::net::HttpClient;
using core::net::HttpRequest;

core::Result<std::shared_ptr<HttpClient>> client_of(boost::asio::any_io_executor loop,
                                                    const std::string& url) {
  core::net::HttpClientOptions options;
  options.url = url;
  options.plain_allowed = true;
  options.connect_timeout = std::chrono::seconds(3);
  options.idle_timeout = std::chrono::seconds(5);
  options.response_max = 64U << 10;
  options.connections_max = 1;
  return HttpClient::create(std::move(loop), std::move(options));
}

Awaitable<core::Result<std::string>> ask(boost::asio::any_io_executor loop, std::string url,
                                         HttpRequest request) {
  GW_CO_TRY(const auto client, client_of(loop, url));
  auto answer = co_await client->send(std::move(request));
  client->close();
  if (!answer.ok()) co_return std::move(answer).error();
  if (answer->status != 200) {
    co_return Error(Code::refused,
                    cat("the Tang server ", url, " answered HTTP ", answer->status,
                        answer->status == 404 ? ": it no longer has the key of this slot; restore "
                                                "the key there or add a new tang slot"
                                              : ""));
  }
  co_return std::move(answer->body);
}

/// A question under way.
struct Question {
  explicit Question(crypto::TangBinding asked)
      : binding(std::move(asked)), exchange(crypto::TangExchange::start(binding)) {}

  HttpRequest request() const {
    HttpRequest made;
    made.method = "POST";
    made.target = exchange->path();
    made.headers = {{"Content-Type", "application/jwk+json"}};
    made.body = exchange->request();
    return made;
  }
  core::Result<crypto::TangSecret> finish(const core::Result<std::string>& text) const {
    if (!text.ok()) return text.error();
    auto secret = exchange->finish(*text);
    if (!secret.ok()) return std::move(secret).error().with_context(binding.url);
    return secret;
  }

  crypto::TangBinding binding;
  core::Result<crypto::TangExchange> exchange;
};

Awaitable<core::Result<crypto::TangSecret>> recover(boost::asio::any_io_executor loop,
                                                    std::shared_ptr<const Question> question) {
  if (!question->exchange.ok()) co_return question->exchange.error();
  auto asking = ask(std::move(loop), question->binding.url, question->request());
  const core::Result<std::string> text = co_await std::move(asking);
  co_return question->finish(text);
}

}  // namespace

Awaitable<core::Result<crypto::TangAdvertisement>> fetch_tang_advertisement(
    boost::asio::any_io_executor loop, std::string url) {
  HttpRequest request;
  request.target = "/adv";
  GW_CO_TRY(const std::string text, co_await ask(std::move(loop), url, std::move(request)));
  auto advertisement = crypto::read_tang_advertisement(text);
  if (!advertisement.ok()) co_return std::move(advertisement).error().with_context(url);
  co_return advertisement;
}

Awaitable<core::Result<crypto::TangSecret>> recover_tang_secret(boost::asio::any_io_executor loop,
                                                                crypto::TangBinding binding) {
  return recover(std::move(loop), std::make_shared<const Question>(std::move(binding)));
}

struct TangRound::State {
  std::function<void(crypto::TangSecret)> secret;
  std::function<void(std::string)> done;
  std::size_t outstanding = 0;
  std::string failures;
  bool dropped = false;
};

TangRound::TangRound(boost::asio::any_io_executor loop, std::vector<crypto::TangBinding> bindings,
                     std::function<void(crypto::TangSecret)> secret,
                     std::function<void(std::string)> done)
    : state_(std::make_shared<State>()) {
  state_->secret = std::move(secret);
  state_->done = std::move(done);
  state_->outstanding = bindings.size();
  for (crypto::TangBinding& binding : bindings) {
    boost::asio::co_spawn(
        loop,
        [](boost::asio::any_io_executor on, std::shared_ptr<State> state,
           crypto::TangBinding asked) -> Awaitable<void> {
          auto got = co_await recover_tang_secret(std::move(on), std::move(asked));
          if (state->dropped) co_return;
          if (got.ok()) {
            state->secret(std::move(*got));
          } else {
            state->failures += cat(state->failures.empty() ? "" : "; ", got.error().message());
          }
          --state->outstanding;
          if (state->outstanding == 0 && !state->dropped) state->done(state->failures);
        }(loop, state_, std::move(binding)),
        boost::asio::detached);
  }
}

TangRound::~TangRound() { state_->dropped = true; }

}  // namespace gateway::daemon
