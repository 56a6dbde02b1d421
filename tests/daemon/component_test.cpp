#include "daemon/component.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace gateway::daemon {
namespace {

using std::chrono::milliseconds;

TEST(Component, IsRetriedUntilItWorksAndForgetsTheProblem) {
  boost::asio::io_context loop;
  int attempts = 0;
  int changes = 0;
  Component component(
      loop.get_executor(), "port", milliseconds(1),
      [&]() -> core::Status {
        if (++attempts < 4) return core::Error(core::Code::busy, "in use");
        return {};
      },
      [&] { ++changes; });
  component.start();
  EXPECT_EQ(component.problem(), "in use");
  loop.run();
  EXPECT_TRUE(component.running());
  EXPECT_EQ(component.problem(), "");
  EXPECT_EQ(attempts, 4);
  EXPECT_EQ(changes, 2) << "the same problem again is no news";
}

TEST(Component, TriesNoMoreOnceStopped) {
  boost::asio::io_context loop;
  int attempts = 0;
  Component component(
      loop.get_executor(), "port", milliseconds(1),
      [&]() -> core::Status {
        ++attempts;
        return core::Error(core::Code::busy, "in use");
      },
      [] {});
  component.start();
  component.stop();
  loop.run();
  EXPECT_EQ(attempts, 1);
}

TEST(Component, RestsUntilItIsStartedAgain) {
  boost::asio::io_context loop;
  int attempts = 0;
  Component component(
      loop.get_executor(), "port", milliseconds(1),
      [&]() -> core::Status {
        if (++attempts == 1) return core::Error(core::Code::busy, "in use");
        return {};
      },
      [] {});
  component.start();
  component.rest();
  EXPECT_EQ(component.problem(), "");
  loop.run();
  EXPECT_EQ(attempts, 1);
  component.start();
  EXPECT_TRUE(component.running());
  component.rest();
  EXPECT_FALSE(component.running());
}

}  // namespace
}  // namespace gateway::daemon
