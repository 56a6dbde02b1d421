#include "daemon/api/route_tree.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace gateway::daemon {
namespace {

using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;

core::net::HttpsHandler named(const char* name) {
  return [name](HttpRequest, const HttpPeer&) -> Awaitable<HttpResponse> {
    return [](const char* said) -> Awaitable<HttpResponse> {
      HttpResponse answer;
      answer.status = 200;
      answer.body = said;
      co_return answer;
    }(name);
  };
}

std::string asked(const RouteTree& tree, const char* target) {
  boost::asio::io_context loop;
  const HttpPeer peer;
  std::string said;
  auto ask = [](const RouteTree& routes, const char* where, const HttpPeer& who,
                std::string& out) -> Awaitable<void> {
    HttpRequest request;
    request.target = where;
    const HttpResponse answer = co_await routes.answer(std::move(request), who);
    out = answer.status == 404 ? "nobody" : answer.body;
  };
  boost::asio::co_spawn(loop, ask(tree, target, peer, said), boost::asio::detached);
  loop.run();
  return said;
}

TEST(RouteTree, GivesEachPathToTheLongestPrefixAboveIt) {
  RouteTree tree;
  tree.mount("/console/api", named("api"));
  tree.mount("/console", named("console"));
  tree.mount("/metrics", named("metrics"));
  EXPECT_EQ(asked(tree, "/console"), "console");
  EXPECT_EQ(asked(tree, "/console/style.css?x=/console/api"), "console");
  EXPECT_EQ(asked(tree, "/console/api/studies?limit=5"), "api");
  EXPECT_EQ(asked(tree, "/console/apis"), "console");
  EXPECT_EQ(asked(tree, "/metrics"), "metrics");
  EXPECT_EQ(asked(tree, "/metricsandmore"), "nobody");
  EXPECT_EQ(asked(tree, "/"), "nobody");
  tree.mount("", named("rest"));
  EXPECT_EQ(asked(tree, "/"), "rest");
  EXPECT_EQ(asked(tree, "/console"), "console");
}

}  // namespace
}  // namespace gateway::daemon
