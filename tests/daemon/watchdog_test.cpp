#include "daemon/ops/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace gateway::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

const core::Monotonic kStart{};

TEST(Progress, APartThatMovesIsNotStalled) {
  Progress progress;
  for (int i = 0; i < 10; ++i) {
    progress.observe("mqtt", static_cast<std::uint64_t>(i), kStart + seconds(5 * i));
    EXPECT_THAT(progress.stalled(kStart + seconds(5 * i), seconds(15)), IsEmpty());
  }
}

TEST(Progress, APartThatStandsStillIsNamedOnceTheTimeIsOver) {
  Progress progress;
  progress.observe("mqtt", 7, kStart);
  progress.observe("dicom", 1, kStart);
  progress.observe("mqtt", 7, kStart + seconds(15));
  progress.observe("dicom", 2, kStart + seconds(15));
  EXPECT_THAT(progress.stalled(kStart + seconds(15), seconds(15)), IsEmpty());
  EXPECT_THAT(progress.stalled(kStart + seconds(16), seconds(15)), ElementsAre("mqtt"));
  progress.observe("mqtt", 8, kStart + seconds(17));
  EXPECT_THAT(progress.stalled(kStart + seconds(17), seconds(15)), IsEmpty());
}

TEST(Progress, WhatDoesNotRunIsNotExpectedToMove) {
  Progress progress;
  progress.observe("database writer", 7, kStart);
  progress.observe("database writer", std::nullopt, kStart + seconds(10));
  EXPECT_THAT(progress.stalled(kStart + seconds(100), seconds(15)), IsEmpty());
}

TEST(Progress, APartThatIsGoneIsNotExpectedToMove) {
  Progress progress;
  progress.observe("device a", 7, kStart);
  progress.observe("device b", 7, kStart);
  progress.observe("device a", 7, kStart + seconds(10));
  progress.keep_only({"device b"});
  EXPECT_THAT(progress.stalled(kStart + seconds(100), seconds(15)), ElementsAre("device b"));
}

TEST(Watchdog, FeedsWhilePartsMoveAndStopsWhenOneDoesNot) {
  boost::asio::io_context loop;
  std::uint64_t turns = 0;
  int fed = 0;
  bool moving = true;
  int looks_after_stall = 0;
  const auto counter = [&]() -> std::optional<std::uint64_t> {
    if (moving) return ++turns;
    ++looks_after_stall;
    return turns;
  };
  Watchdog watchdog(
      loop.get_executor(), core::system_clock(), milliseconds(40),
      [&] {
        return std::vector<Watchdog::Part>{{"part", counter}};
      },
      [&] {
        if (++fed == 5) moving = false;
      });
  watchdog.start();
  while (looks_after_stall < 20) loop.run_one();
  // The part may stand still for half the period: at most three more feeds.
  EXPECT_GE(fed, 5);
  EXPECT_LE(fed, 8);
  const int before = fed;
  moving = true;
  while (fed == before) loop.run_one();
}

}  // namespace
}  // namespace gateway::daemon
