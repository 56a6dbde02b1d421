// When an uplink may be used, and what goes out when it may not.
#include "sync/uplink_hours.h"

#include <gtest/gtest.h>

#include "core/civil_time.h"
#include "sync/engine.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

core::Wall at(std::string_view time) {
  return *core::parse_instant(core::cat("2026-07-01T", time, "Z"));
}

TEST(UplinkHoursTest, ASpanMayGoPastMidnightAndGoesByTheSitesZone) {
  const auto hours = UplinkHours::parse({"22:00-06:00", "12:30-13:00"}, "Africa/Blantyre");
  ASSERT_TRUE(hours.ok());  // two hours ahead of UTC
  EXPECT_FALSE(hours->is_open(at("19:59:59")));
  EXPECT_TRUE(hours->is_open(at("20:00:00")));
  EXPECT_TRUE(hours->is_open(at("03:59:59")));
  EXPECT_FALSE(hours->is_open(at("04:00:00")));
  EXPECT_TRUE(hours->is_open(at("10:30:00")));
  EXPECT_FALSE(hours->is_open(at("11:00:00")));
  EXPECT_TRUE(UplinkHours().is_open(at("11:00:00")));
}

TEST(UplinkHoursTest, ItIsWorthAskingAgainAtTheNextChangeOrInAQuarterOfAnHour) {
  const auto hours = UplinkHours::parse({"22:00-24:00"}, "UTC");
  ASSERT_TRUE(hours.ok());
  EXPECT_EQ(hours->until_change(at("21:58:30")), seconds(90));
  EXPECT_EQ(hours->until_change(at("22:00:00")), minutes(15));
  EXPECT_EQ(hours->until_change(at("23:59:59")), seconds(1));
  EXPECT_EQ(hours->until_change(at("12:00:00")), minutes(15));
}

TEST(UplinkHoursTest, WhatIsNoSpanIsTold) {
  for (const char* text : {"", "22:00", "22-06", "25:00-06:00", "22:60-06:00", "06:00-06:00",
                           "22:00-06:00 ", "+2:00-06:00"})
    EXPECT_FALSE(UplinkHours::parse({text}, "UTC").ok()) << text;
}

class HoursTest : public RecordsTest {
 protected:
  void enter(const std::string& id, std::string_view priority) {
    write([&](Connection& c) -> core::Status {
      const ResourceKey key{"ServiceRequest", id};
      const Json subject = Json::object({{"reference", core::cat("Patient/", id)}});
      const Json order = Json::object({{"resourceType", "ServiceRequest"},
                                       {"id", id},
                                       {"priority", priority},
                                       {"subject", subject}});
      const Json patient = Json::object({{"resourceType", "Patient"}, {"id", id}});
      GW_CHECK(put_resource(c, {"Patient", id}, patient, "clinic", kNow));
      GW_CHECK(put_resource(c, key, order, "clinic", kNow));
      GW_CHECK(queue_row(c, "his", "resource", core::cat("Patient/", id), 0, std::nullopt, kNow));
      GW_CHECK(queue_row(c, "his", "resource", key.text(), 0, std::nullopt, kNow));
      return {};
    });
  }
};

TEST_F(HoursTest, OutsideThemOnlyWhatIsStatGoesAndWhatThatHasToWaitFor) {
  enter("a", "routine");
  enter("b", "stat");
  Claim claimed;
  write([&](Connection& c) -> core::Status {
    GW_TRY(claimed, claim_rows(c, "his", {10, 1u << 30, {}, nullptr, true}));
    return {};
  });
  ASSERT_EQ(claimed.rows.size(), 1u);
  EXPECT_EQ(claimed.rows[0].subject, "Patient/b");
}

class HoursEngineTest : public ::testing::Test {
 protected:
  HoursEngineTest() : engine_({{"his", limits()}}, EngineOptions{}, 1) {}
  static UplinkLimits limits() {
    UplinkLimits limits;
    limits.pull_every = core::Milliseconds(1'000);
    return limits;
  }
  template <class Wanted>
  static const Wanted* find(const std::vector<Effect>& effects) {
    for (const Effect& effect : effects)
      if (const auto* wanted = std::get_if<Wanted>(&effect)) return wanted;
    return nullptr;
  }
  core::Monotonic now_{seconds(1'000)};
  Engine engine_;
};

TEST_F(HoursEngineTest, NothingIsPulledUntilTheyBeginAndAPersonMayOpenThem) {
  const auto closed = engine_.step(now_, event::HoursBegan{"his", false});
  EXPECT_FALSE(find<effect::StartPull>(closed));
  ASSERT_TRUE(find<effect::ClaimRows>(closed));
  EXPECT_TRUE(find<effect::ClaimRows>(closed)->only_stat);
  engine_.step(now_, event::Claimed{"his", {}, std::nullopt, ""});
  const auto wanted = engine_.step(now_, event::SyncWanted{});
  EXPECT_TRUE(find<effect::StartPull>(wanted));
  ASSERT_TRUE(find<effect::ClaimRows>(wanted));
  EXPECT_FALSE(find<effect::ClaimRows>(wanted)->only_stat);
}

}  // namespace
}  // namespace gateway::sync
