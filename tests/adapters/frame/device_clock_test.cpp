// How far a device's clock is off, by what its messages say.
#include "adapters/frame/device_clock.h"

#include <gmock/gmock.h>

#include "core/text.h"

namespace gateway::adapters::frame {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class DeviceClockTest : public ::testing::Test {
 protected:
  void message(std::int64_t ahead_s, bool at_once = false) {
    clock_.note(now_ + seconds(ahead_s), now_, at_once);
  }
  core::Json told() {
    core::Json report = core::Json::object();
    clock_.tell(report);
    return report;
  }
  const core::Wall now_ = core::system_clock().wall();
  DeviceClock clock_;
};

TEST_F(DeviceClockTest, NothingIsKnownBeforeADeviceSaysATime) {
  clock_.note(core::Wall(), now_, false);
  EXPECT_EQ(told().size(), 0U);
}

TEST_F(DeviceClockTest, AMessageThatWaitedAtTheDeviceIsNoWrongClock) {
  message(-86'400);
  EXPECT_EQ(told().size(), 0U);
  for (int i = 0; i < 30; ++i) message(-86'400 - i * 3'600);
  EXPECT_EQ(told().size(), 0U);
  message(-2);
  EXPECT_EQ(told()["clock_ahead_s"].integer(), -2);
  EXPECT_TRUE(told()["problem"].is_null());
}

TEST_F(DeviceClockTest, AMessageThatIsSentAgainAndAgainIsNoClock) {
  for (int i = 0; i < 30; ++i) message(-3'600);
  EXPECT_EQ(told().size(), 0U);
}

TEST_F(DeviceClockTest, AClockThatIsBehindShowsAfterTwentyMessages) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(told().size(), 0U);
    clock_.note(now_ + seconds(i - 3'600), now_ + seconds(i), false);
  }
  EXPECT_EQ(told()["clock_ahead_s"].integer(), -3'600);
  EXPECT_THAT(std::string(told()["problem"].text()), HasSubstr("3600 s behind the gateway's"));
}

TEST_F(DeviceClockTest, AMessageFromTheFutureShowsAtOnceAndIsForgottenOnceTheClockIsSet) {
  message(7'200);
  EXPECT_THAT(std::string(told()["problem"].text()), HasSubstr("7200 s ahead of"));
  for (int i = 0; i < 20; ++i) message(-1);
  EXPECT_TRUE(told()["problem"].is_null());
}

TEST_F(DeviceClockTest, WhatIsSaidAtOnceTellsAtOnce) {
  message(-900, true);
  EXPECT_EQ(told()["clock_ahead_s"].integer(), -900);
  message(0, true);
  EXPECT_EQ(told()["clock_ahead_s"].integer(), 0);
}

TEST_F(DeviceClockTest, AnotherProblemStands) {
  message(7'200);
  core::Json report = core::Json::object({{"problem", "its cable is out"}});
  clock_.tell(report);
  EXPECT_EQ(report["problem"].text(), "its cable is out");
}

}  // namespace
}  // namespace gateway::adapters::frame
