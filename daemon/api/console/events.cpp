#include "daemon/api/console/events.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/text.h"

namespace gateway::daemon::console {
namespace {

using core::Json;
using core::net::Awaitable;

constexpr std::chrono::seconds kLookEvery{2};
constexpr int kLooksPerComment = 7;

/// An age grows with every look: it is no news by itself.
std::string news_in(const Json& overview) {
  Json facts = overview;
  facts.erase("oldest_age_s");
  return facts.dump();
}

}  // namespace

OverviewEvents::OverviewEvents(Look look, std::function<bool()> lives, std::shared_ptr<void> place)
    : look_(std::move(look)), lives_(std::move(lives)), place_(std::move(place)) {}

Awaitable<std::string> OverviewEvents::next() {
  if (ended_) co_return std::string();
  boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
  for (int looks = 0; looks < kLooksPerComment; ++looks) {
    if (!lives_()) {
      ended_ = true;
      co_return std::string("event: ended\ndata: {}\n\n");
    }
    const core::Result<Json> overview = co_await look_();
    if (!overview.ok() && overview.error().code() == core::Code::cancelled) {
      ended_ = true;
      co_return std::string(": the gateway is stopping\n\n");
    }
    if (overview.ok()) {
      std::string news = news_in(*overview);
      if (news != sent_) {
        sent_ = std::move(news);
        co_return core::cat("event: overview\ndata: ", overview->dump(), "\n\n");
      }
    }
    pause.expires_after(kLookEvery);
    const auto [error] =
        co_await pause.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return std::string();
  }
  co_return std::string(": nothing new\n\n");
}

}  // namespace gateway::daemon::console
