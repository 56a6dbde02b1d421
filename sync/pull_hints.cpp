#include "sync/pull_hints.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/retry.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;

constexpr RetryPace kAgain{core::Milliseconds(5'000), core::Milliseconds(600'000)};
// Shorter, it was no time of listening: the server takes us and puts us out again.
constexpr std::chrono::minutes kListened{1};
// Then it is bound anew: a server says nothing when its Subscription is switched off or deleted.
constexpr std::chrono::hours kBound{1};

std::uint64_t random_number() {
  std::uint64_t number = 0;
  std::memcpy(&number, core::random_bytes(sizeof number).data(), sizeof number);
  return number;
}

/// A server may leave out the end of "Patient?".
std::string_view plain(std::string_view criteria) {
  if (criteria.ends_with('?')) criteria.remove_suffix(1);
  return criteria;
}

bool is_for(const Json& subscription, const std::string& criteria) {
  return subscription["resourceType"].text() == "Subscription" &&
         plain(subscription["criteria"].text()) == plain(criteria) &&
         subscription["channel"]["type"].text() == "websocket";
}

bool is_on(const Json& subscription) {
  const std::string_view status = subscription["status"].text();
  return status == "active" || status == "requested";
}

/// Another one would fare no better.
Error switched_off() {
  return {Code::refused,
          "its Subscription there is off or in error; have the server's operator look at it, or "
          "delete it there"};
}

Json subscription_body(const std::string& criteria) {
  return Json::object({{"resourceType", "Subscription"},
                       {"status", "requested"},
                       {"reason", "A gateway at a clinic pulls what this names when it changes"},
                       {"criteria", criteria},
                       {"channel", Json::object({{"type", "websocket"}})}});
}

Error refusal(std::string_view doing, const FhirAnswer& answer) {
  if (!answer.not_serving.empty()) return {Code::unavailable, answer.not_serving};
  return {Code::refused, core::cat(doing, ": the server answered ", answer.status)};
}

}  // namespace

std::string hint_criteria(const std::string& search) {
  const auto question = search.find('?');
  std::string criteria = core::cat(search.substr(0, question), '?');
  std::string_view rest = question == std::string::npos
                              ? std::string_view()
                              : std::string_view(search).substr(question + 1);
  bool is_first = true;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const std::string_view name = part.substr(0, part.find_first_of("=:"));
    const bool is_of_answer = name.starts_with('_') && name != "_id" && name != "_tag" &&
                              name != "_has" && name != "_profile" && name != "_security";
    if (part.empty() || is_of_answer) continue;
    criteria += core::cat(std::exchange(is_first, false) ? "" : "&", part);
  }
  return criteria;
}

PullHints::PullHints(FhirEndpoint endpoint, std::string path, std::function<void()> hinted)
    : endpoint_(std::move(endpoint)), path_(std::move(path)), hinted_(std::move(hinted)) {}

std::shared_ptr<PullHints> PullHints::create(FhirEndpoint endpoint, std::string path,
                                             std::function<void()> hinted) {
  return std::shared_ptr<PullHints>(
      new PullHints(std::move(endpoint), std::move(path), std::move(hinted)));
}

void PullHints::listen(const boost::asio::any_io_executor& loop,
                       const std::vector<std::string>& searches) {
  if (closed_ || !ears_.empty()) return;
  for (const std::string& search : searches) ears_.try_emplace(hint_criteria(search));
  for (const auto& [criteria, ear] : ears_)
    boost::asio::co_spawn(loop, keep_listening(shared_from_this(), criteria),
                          boost::asio::detached);
}

Awaitable<void> PullHints::keep_listening(std::shared_ptr<PullHints> self, std::string criteria) {
  Ear& ear = self->ears_.at(criteria);
  ear.pause.emplace(co_await boost::asio::this_coro::executor);
  for (unsigned failures = 0; !self->closed_;) {
    const auto began = std::chrono::steady_clock::now();
    const core::Status ended = co_await self->listen_once(criteria);
    ear.socket.reset();
    const bool has_listened =
        std::exchange(ear.is_bound, false) && std::chrono::steady_clock::now() - began >= kListened;
    if (self->closed_) co_return;
    failures = has_listened ? 1 : failures + 1;
    if (!has_listened) ear.error = ended.error().message();
    // Once, not at every try.
    if (!has_listened && failures == 1)
      core::log_info("sync", core::cat("hints: ", ear.error, "; tried again"));
    ear.pause->expires_after(retry_delay(kAgain, failures, random_number()));
    co_await ear.pause->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }
}

Awaitable<core::Status> PullHints::listen_once(const std::string& criteria) {
  Ear& ear = ears_.at(criteria);
  GW_CO_TRY(const std::string id, co_await subscription_for(criteria));
  GW_CO_TRY(ear.socket, co_await endpoint_.open_socket(path_));
  if (closed_) co_return Error(Code::cancelled, "the gateway stops");
  ear.pause->expires_after(kBound);
  ear.pause->async_wait([socket = std::weak_ptr(ear.socket)](const auto& cancelled) {
    if (const auto open = socket.lock(); open && !cancelled) open->close();
  });
  GW_CO_CHECK(co_await ear.socket->send(core::cat("bind ", id)));
  while (true) {
    GW_CO_TRY(const std::string said, co_await ear.socket->receive());
    if (!said.starts_with("bound") && !said.starts_with("ping"))
      co_return Error(Code::refused, "the server does not tell of changes by its Subscription");
    ear.is_bound = true;
    ear.error.clear();
    // Bound, too: it may have changed before the server listened.
    hinted_();
  }
}

Awaitable<core::Result<std::string>> PullHints::subscription_for(const std::string& criteria) {
  if (const std::string made = ears_.at(criteria).made; !made.empty()) {
    GW_CO_TRY(const bool is_there, co_await is_made_still_there(made));
    if (is_there) co_return made;
    ears_.at(criteria).made.clear();
  }
  GW_CO_TRY(const FhirAnswer answer,
            co_await endpoint_.page(core::cat("/Subscription?type=websocket&_count=100&criteria=",
                                              core::net::url_encode(criteria))));
  if (answer.status != 200) co_return refusal("Subscriptions were looked for", answer);
  bool is_off = false;
  for (const Json& entry : answer.body["entry"].items()) {
    const Json& subscription = entry["resource"];
    if (!is_for(subscription, criteria)) continue;
    if (is_on(subscription)) co_return std::string(subscription["id"].text());
    is_off = true;
  }
  if (is_off) co_return switched_off();
  co_return co_await make_subscription(criteria);
}

Awaitable<core::Result<bool>> PullHints::is_made_still_there(std::string id) {
  ResourceKey key{"Subscription", std::move(id)};
  GW_CO_TRY(const FhirAnswer answer, co_await endpoint_.read(std::move(key)));
  if (answer.status == 404 || answer.status == 410) co_return false;
  if (answer.status != 200) co_return refusal("its Subscription was looked for", answer);
  if (!is_on(answer.body)) co_return switched_off();
  co_return true;
}

Awaitable<core::Result<std::string>> PullHints::make_subscription(const std::string& criteria) {
  std::string body = subscription_body(criteria).dump();
  GW_CO_TRY(const FhirAnswer answer,
            co_await endpoint_.create("Subscription", std::move(body), ""));
  if (answer.status / 100 != 2 || answer.id.empty())
    co_return refusal("a Subscription was to be made", answer);
  // So that no more are made, whatever the server then says of this one.
  ears_.at(criteria).made = answer.id;
  co_return answer.id;
}

void PullHints::close() {
  closed_ = true;
  for (auto& [criteria, ear] : ears_) {
    if (ear.socket) ear.socket->close();
    if (ear.pause) ear.pause->cancel();
  }
}

Json PullHints::report() const {
  std::string error;
  for (const auto& [criteria, ear] : ears_)
    if (error.empty()) error = ear.error;
  const auto listening =
      std::ranges::count_if(ears_, [](const auto& entry) { return entry.second.is_bound; });
  return Json::object({{"listening", static_cast<std::int64_t>(listening)},
                       {"searches", static_cast<std::int64_t>(ears_.size())},
                       {"error", error}});
}

}  // namespace gateway::sync
