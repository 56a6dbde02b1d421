#include "daemon/ops/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;

class ControlTest : public testing::Test {
 protected:
  HttpResponse send(const std::string& method, const std::string& target, std::string body = "") {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = std::move(body);
    HttpResponse response;
    boost::asio::io_context loop;
    boost::asio::co_spawn(
        loop,
        [](core::net::HttpHandler& handler, HttpRequest asked,
           HttpResponse& out) -> Awaitable<void> {
          out = co_await handler(std::move(asked));
        }(handler_, std::move(request), response),
        boost::asio::detached);
    loop.run();
    return response;
  }

  std::string code_of(const HttpResponse& response) {
    const auto json = Json::parse(response.body);
    return json.ok() ? std::string((*json)["error"]["code"].text()) : "not JSON";
  }

  ControlActions actions() {
    ControlActions actions;
    actions.status = [this] { return done("status"); };
    actions.studies = [this](std::int64_t limit) {
      return done("studies " + std::to_string(limit));
    };
    actions.queue = [this](std::int64_t limit) { return done("queue " + std::to_string(limit)); };
    actions.retry = [this](std::int64_t number, const Caller& caller) {
      return done("retry " + std::to_string(number) + " by " + caller.actor);
    };
    actions.keys = [this](std::string method, std::string path, std::string body) {
      return done(method + " " + path + " " + body);
    };
    actions.storage = [this] { return done("storage"); };
    actions.reviews = [this](std::string method, std::string path, std::string body,
                             const Caller&) {
      return done("reviews " + method + " " + path + " " + body);
    };
    actions.rebuild_index = [this] { return done("rebuild-index"); };
    actions.pin = [this](std::string study_uid, bool pinned) {
      return done((pinned ? "pin " : "unpin ") + study_uid);
    };
    actions.doctor = [this]() -> Awaitable<core::Result<Json>> {
      asked_ = "doctor";
      co_return Error(Code::locked, "the gateway is locked");
    };
    return actions;
  }

  Awaitable<core::Result<Json>> done(std::string what) {
    asked_ = std::move(what);
    co_return Json::object({{"ok", true}});
  }

  std::string asked_;
  core::net::HttpHandler handler_ = control_routes(control_asks(actions()));
};

TEST_F(ControlTest, RoutesReachTheirActions) {
  EXPECT_EQ(send("GET", "/v1/status").status, 200);
  EXPECT_EQ(asked_, "status");
  EXPECT_EQ(send("GET", "/v1/studies").body, R"({"ok":true})");
  EXPECT_EQ(asked_, "studies 50");
  send("GET", "/v1/keys");
  EXPECT_EQ(asked_, "GET /v1/keys ");
  send("POST", "/v1/keys/add", "{}");
  EXPECT_EQ(asked_, "POST /v1/keys/add {}");
  send("GET", "/v1/queue?limit=7");
  EXPECT_EQ(asked_, "queue 7");
  send("POST", "/v1/retry", R"({"number":12})");
  EXPECT_EQ(asked_, "retry 12 by operator");
  send("POST", "/v1/reviews/7", R"({"take":"ours"})");
  EXPECT_EQ(asked_, R"(reviews POST /v1/reviews/7 {"take":"ours"})");
  send("GET", "/v1/storage");
  EXPECT_EQ(asked_, "storage");
  send("POST", "/v1/rebuild-index", "{}");
  EXPECT_EQ(asked_, "rebuild-index");
  send("POST", "/v1/pin", R"({"study_uid":"1.2","pinned":true})");
  EXPECT_EQ(asked_, "pin 1.2");
  send("POST", "/v1/pin", R"({"study_uid":"1.2","pinned":false})");
  EXPECT_EQ(asked_, "unpin 1.2");
}

TEST_F(ControlTest, ErrorsCarryTheCodeAndAStatus) {
  const HttpResponse response = send("GET", "/v1/doctor");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(code_of(response), "locked");
}

TEST_F(ControlTest, WhatIsNotUnderstoodReachesNoAction) {
  EXPECT_EQ(send("GET", "/v1/nothing").status, 404);
  EXPECT_EQ(send("POST", "/v1/status").status, 405);
  EXPECT_EQ(send("GET", "/v1/retry").status, 405);
  EXPECT_EQ(send("GET", "/v1/queue?limit=0").status, 400);
  EXPECT_EQ(send("GET", "/v1/queue?limit=100000").status, 400);
  EXPECT_EQ(send("GET", "/v1/queue?offset=3").status, 400);
  EXPECT_EQ(send("POST", "/v1/retry", "").status, 400);
  EXPECT_EQ(send("POST", "/v1/retry", R"({"number":-1})").status, 400);
  EXPECT_EQ(send("POST", "/v1/retry", R"({"number":"1"})").status, 400);
  EXPECT_EQ(send("POST", "/v1/pin", R"({"pinned":true})").status, 400);
  EXPECT_EQ(send("POST", "/v1/pin", R"({"study_uid":"1.2"})").status, 400);
  EXPECT_EQ(asked_, "");
}

}  // namespace
}  // namespace gateway::daemon
