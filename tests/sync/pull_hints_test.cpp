// Who listens for hints, and what becomes of them.
#include "sync/pull_hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>

#include "tests/fakes/waiting.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;
using core::net::WebSocket;
using ::testing::HasSubstr;

class Line final : public WebSocket {
 public:
  explicit Line(boost::asio::io_context& loop)
      : bell_(loop, boost::asio::steady_timer::time_point::max()) {}
  Awaitable<core::Status> send(std::string text) override {
    sent.push_back(std::move(text));
    co_return core::Status();
  }
  Awaitable<core::Result<std::string>> receive() override {
    while (said_.empty() && !closed_)
      co_await bell_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (said_.empty()) co_return Error(Code::unavailable, "the WebSocket ended");
    std::string first = std::move(said_.front());
    said_.pop_front();
    co_return first;
  }
  void close() override {
    closed_ = true;
    bell_.cancel();
  }
  void say(std::string text) {
    said_.push_back(std::move(text));
    bell_.cancel();
  }
  std::vector<std::string> sent;

 private:
  boost::asio::steady_timer bell_;
  std::deque<std::string> said_;
  bool closed_ = false;
};

/// A server with one active Subscription, which makes more, or refuses to.
class Server final : public core::net::HttpClient {
 public:
  explicit Server(boost::asio::io_context& loop) : loop_(loop) {}

  Awaitable<core::Result<HttpResponse>> send(HttpRequest request) override {
    asked.push_back(request.method + " " + request.target);
    HttpResponse response;
    response.headers = {{"Content-Type", "application/fhir+json"}};
    response.status = 200;
    if (request.method == "POST") {
      made.push_back(request.body);
      response.status = makes ? 201 : 422;
      if (makes) response.headers.emplace_back("Location", "/Subscription/made/_history/1");
      response.body = R"({"resourceType":"OperationOutcome"})";
    } else {
      // As a server does that compares beginnings.
      response.body = R"({"resourceType":"Bundle","entry":[
        {"resource":{"resourceType":"Subscription","id":"other","status":"active",
          "criteria":"Patient?active=true","channel":{"type":"websocket"}}},
        {"resource":{"resourceType":"Subscription","id":"off","status":"off",
          "criteria":"Patient?","channel":{"type":"websocket"}}},
        {"resource":{"resourceType":"Subscription","id":"broken","status":"error",
          "criteria":"Task","channel":{"type":"websocket"}}},
        {"resource":{"resourceType":"Subscription","id":"held","status":"active",
          "criteria":"Patient?","channel":{"type":"websocket"}}}]})";
    }
    co_return response;
  }
  Awaitable<core::Result<std::shared_ptr<WebSocket>>> open_socket(HttpRequest request) override {
    opened.push_back(request.target);
    lines.push_back(std::make_shared<Line>(loop_));
    co_return lines.back();
  }
  void close() override {}

  bool makes = true;
  std::vector<std::string> asked, made, opened;
  std::vector<std::shared_ptr<Line>> lines;

 private:
  boost::asio::io_context& loop_;
};

class PullHintsTest : public ::testing::Test {
 protected:
  ~PullHintsTest() override {
    hints_->close();
    settle();
  }
  void settle() {
    loop_.restart();
    loop_.poll();
  }
  void listen(const std::vector<std::string>& searches) {
    hints_->listen(loop_.get_executor(), searches);
    settle();
  }

  boost::asio::io_context loop_;
  std::shared_ptr<Server> server_ = std::make_shared<Server>(loop_);
  int hinted_ = 0;
  std::shared_ptr<PullHints> hints_ =
      PullHints::create(FhirEndpoint(server_), "/websocket", [this] { ++hinted_; });
};

TEST(HintCriteria, AreTheSearchWithoutWhatSaysHowTheAnswerLooks) {
  EXPECT_EQ(hint_criteria("Patient"), "Patient?");
  EXPECT_EQ(hint_criteria("Patient?_sort=_id"), "Patient?");
  EXPECT_EQ(hint_criteria("Task?_include=Task:patient&owner=Organization/1&_count=5&_tag=x"),
            "Task?owner=Organization/1&_tag=x");
  EXPECT_EQ(hint_criteria("Patient?_id:not=1"), "Patient?_id:not=1");
  EXPECT_EQ(hint_criteria("Patient?&&active=true&"), "Patient?active=true");
}

TEST_F(PullHintsTest, ASubscriptionThatIsThereIsBoundAndItsPingsHurryThePull) {
  listen({"Patient?_sort=_id"});
  EXPECT_TRUE(server_->made.empty());
  ASSERT_EQ(server_->lines.size(), 1u);
  EXPECT_EQ(server_->opened.front(), "/websocket");
  EXPECT_EQ(server_->lines[0]->sent, std::vector<std::string>{"bind held"});
  EXPECT_EQ(hints_->report()["listening"].integer(), 0);
  server_->lines[0]->say("bound held");
  settle();
  EXPECT_EQ(hinted_, 1) << "it may have changed before the server listened";
  EXPECT_EQ(hints_->report()["listening"].integer(), 1);
  server_->lines[0]->say("ping held");
  settle();
  EXPECT_EQ(hinted_, 2);
  listen({"Patient"});
  EXPECT_EQ(server_->lines.size(), 1u) << "it listens already";
}

TEST_F(PullHintsTest, WhereNoneIsThereOneIsMadeForEachSearch) {
  listen({"Task?owner=Organization/1", "Patient"});
  ASSERT_EQ(server_->made.size(), 1u);
  const auto body = core::Json::parse(server_->made[0]);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ((*body)["criteria"].text(), "Task?owner=Organization/1");
  EXPECT_EQ((*body)["status"].text(), "requested");
  EXPECT_EQ((*body)["channel"]["type"].text(), "websocket");
  ASSERT_EQ(server_->lines.size(), 2u);
  EXPECT_EQ(hints_->report()["searches"].integer(), 2);
  std::vector<std::string> bound{server_->lines[0]->sent.at(0), server_->lines[1]->sent.at(0)};
  EXPECT_THAT(bound, ::testing::UnorderedElementsAre("bind held", "bind made"));
}

TEST_F(PullHintsTest, WhatFailsIsShownAndHurriesNothing) {
  server_->makes = false;
  listen({"Appointment"});
  EXPECT_EQ(hinted_, 0);
  EXPECT_TRUE(server_->lines.empty());
  EXPECT_THAT(std::string(hints_->report()["error"].text()), HasSubstr("answered 422"));
}

TEST_F(PullHintsTest, WhereItsOperatorSwitchedItOffNoMoreAreMade) {
  listen({"Task"});
  EXPECT_TRUE(server_->made.empty());
  EXPECT_TRUE(server_->lines.empty());
  EXPECT_THAT(std::string(hints_->report()["error"].text()), HasSubstr("off or in error"));
}

TEST_F(PullHintsTest, AServerThatSaysSomethingElseIsNotListenedTo) {
  listen({"Patient"});
  ASSERT_EQ(server_->lines.size(), 1u);
  server_->lines[0]->say("bound held");
  server_->lines[0]->say("Invalid bind request");
  settle();
  EXPECT_EQ(hinted_, 1);
  EXPECT_EQ(hints_->report()["listening"].integer(), 0);
  EXPECT_THAT(std::string(hints_->report()["error"].text()), HasSubstr("does not tell of changes"));
}

TEST_F(PullHintsTest, AfterItsEndNobodyListens) {
  listen({"Patient"});
  hints_->close();
  settle();
  EXPECT_EQ(hints_->report()["listening"].integer(), 0);
  listen({"Task"});
  EXPECT_EQ(server_->lines.size(), 1u);
}

}  // namespace
}  // namespace gateway::sync
