#include "daemon/api/loop_bridge.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace gateway::daemon {
namespace {

namespace asio = boost::asio;
using core::Json;
using core::net::Awaitable;
using Answer = std::optional<core::Result<Json>>;

class LoopBridgeTest : public testing::Test {
 protected:
  void ask(LoopBridge::Work work, Answer& answer) {
    auto asking = [](LoopBridge& bridge, LoopBridge::Work asked, Answer& out) -> Awaitable<void> {
      out.emplace(co_await bridge.run(std::move(asked)));
    };
    asio::co_spawn(server_, asking(bridge_, std::move(work), answer), asio::detached);
  }
  LoopBridge::Work work() {
    return [this]() -> Awaitable<core::Result<Json>> {
      ++worked_;
      co_return Json(7);
    };
  }

  asio::io_context loop_;
  asio::io_context server_;
  LoopBridge bridge_{loop_.get_executor()};
  int worked_ = 0;
};

TEST_F(LoopBridgeTest, BringsTheLoopsAnswerBack) {
  Answer answer;
  ask(work(), answer);
  server_.poll();
  EXPECT_FALSE(answer) << "the loop has not run yet";
  loop_.run();
  server_.run();
  ASSERT_TRUE(answer);
  ASSERT_TRUE(answer->ok());
  EXPECT_EQ((*answer)->integer(), 7);
}

TEST_F(LoopBridgeTest, ClosedItAnswersWhoWaitsAndTheLoopDoesNothingLater) {
  Answer waiting;
  ask(work(), waiting);
  server_.poll();
  bridge_.close();
  server_.restart();
  server_.run();
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->error().code(), core::Code::cancelled);
  loop_.run();
  EXPECT_EQ(worked_, 0);

  Answer late;
  ask(work(), late);
  server_.restart();
  server_.run();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->error().code(), core::Code::cancelled);
}

TEST_F(LoopBridgeTest, HasABoundedNumberOfThoseWhoWait) {
  std::vector<Answer> answers(65);
  for (Answer& answer : answers) ask(work(), answer);
  server_.poll();
  ASSERT_TRUE(answers.back());
  EXPECT_EQ(answers.back()->error().code(), core::Code::busy);
  loop_.run();
  server_.restart();
  server_.run();
  EXPECT_EQ(worked_, 64);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_TRUE(answers[i] && answers[i]->ok()) << i;
}

}  // namespace
}  // namespace gateway::daemon
