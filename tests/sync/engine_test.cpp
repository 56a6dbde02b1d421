// The engine decides alone: no I/O, time and events go in, effects come out.
#include "sync/engine.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace gateway::sync {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : engine_({{"pacs", limits()}}, EngineOptions{}, 1) {}

  static UplinkLimits limits() {
    UplinkLimits limits;
    limits.rows_per_delivery = 4;
    limits.bytes_per_delivery = 1'000;
    limits.deliveries_in_flight = 2;
    return limits;
  }
  static OutboxRow row(std::int64_t number, int attempts = 0, bool perhaps_sent = false) {
    return {number, "instance", std::to_string(number), 10, attempts, perhaps_sent};
  }
  static RowOutcome outcome(std::int64_t number, Delivery result, std::string reason = "") {
    RowOutcome made;
    made.number = number;
    made.result = result;
    made.reason = std::move(reason);
    return made;
  }
  std::vector<Effect> step(const Event& event) { return engine_.step(now_, event); }
  std::vector<Effect> claimed(std::vector<OutboxRow> rows) {
    return step(event::Claimed{"pacs", std::move(rows), std::nullopt, ""});
  }
  std::vector<Effect> delivered(std::vector<RowOutcome> outcomes) {
    return step(event::Delivered{"pacs", std::move(outcomes)});
  }

  template <class Wanted>
  static const Wanted* find(const std::vector<Effect>& effects) {
    for (const Effect& effect : effects) {
      if (const auto* wanted = std::get_if<Wanted>(&effect)) return wanted;
    }
    return nullptr;
  }

  core::Monotonic now_{seconds(1'000)};
  Engine engine_;
};

TEST_F(EngineTest, ClaimsAtTheStartAndSendsWhatItGot) {
  const auto start = step(event::Started{});
  ASSERT_TRUE(find<effect::ClaimRows>(start));
  EXPECT_EQ(find<effect::ClaimRows>(start)->rows_max, 4u);
  const auto sent = claimed({row(1), row(2)});
  ASSERT_TRUE(find<effect::DeliverRows>(sent));
  EXPECT_EQ(find<effect::DeliverRows>(sent)->rows.size(), 2u);
}

TEST_F(EngineTest, KeepsAsManyDeliveriesInFlightAsAllowedAndNoMore) {
  step(event::Started{});
  EXPECT_TRUE(find<effect::ClaimRows>(claimed({row(1)})));
  EXPECT_FALSE(find<effect::ClaimRows>(claimed({row(2)})));
  EXPECT_EQ(engine_.standing("pacs").in_flight, 2u);
  EXPECT_TRUE(find<effect::ClaimRows>(delivered({outcome(1, Delivery::delivered)})));
}

TEST_F(EngineTest, AnEmptyOutboxIsAskedAgainOnlyWhenSomethingWasQueued) {
  step(event::Started{});
  EXPECT_FALSE(find<effect::ClaimRows>(claimed({})));
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::Ticked{})));
  EXPECT_TRUE(find<effect::ClaimRows>(step(event::Queued{})));
}

TEST_F(EngineTest, AnUnreachedPeerIsProbedByOneRowAfterTheBackOff) {
  step(event::Started{});
  claimed({row(1)});
  const auto failed = delivered({outcome(1, Delivery::unreached, "no route")});
  const auto* record = find<effect::RecordVerdicts>(failed);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->verdicts[0].what, Verdict::What::again);
  EXPECT_FALSE(record->verdicts[0].perhaps_sent);
  EXPECT_FALSE(record->verdicts[0].counts_as_attempt);
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::down);

  // The claim that was already under way comes back; nothing new is asked for before the back-off
  // is over.
  claimed({});
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::Queued{})));
  const auto* wake = find<effect::WakeAt>(failed);
  ASSERT_TRUE(wake);
  EXPECT_GE(wake->time, now_ + milliseconds(500));
  EXPECT_LE(wake->time, now_ + milliseconds(1'000));
  now_ = wake->time;
  const auto probe = step(event::Ticked{});
  ASSERT_TRUE(find<effect::ClaimRows>(probe));
  EXPECT_EQ(find<effect::ClaimRows>(probe)->rows_max, 1u);
}

TEST_F(EngineTest, TheFullWindowOpensAgainAfterOneSuccess) {
  step(event::Started{});
  claimed({row(1)});
  claimed({});
  now_ = find<effect::WakeAt>(delivered({outcome(1, Delivery::unreached)}))->time;
  step(event::Ticked{});
  claimed({row(1)});
  const auto back = delivered({outcome(1, Delivery::delivered)});
  ASSERT_TRUE(find<effect::ClaimRows>(back));
  EXPECT_EQ(find<effect::ClaimRows>(back)->rows_max, 4u);
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::up);
}

TEST_F(EngineTest, WhatIsQueuedWhileAClaimIsUnderWayIsClaimedNext) {
  step(event::Started{});
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::Queued{})));
  EXPECT_TRUE(find<effect::ClaimRows>(claimed({})));
  EXPECT_FALSE(find<effect::ClaimRows>(claimed({})));
}

TEST_F(EngineTest, ALostAnswerMarksTheRowAsPerhapsSent) {
  step(event::Started{});
  claimed({row(1)});
  const auto lost = delivered({outcome(1, Delivery::lost)});
  EXPECT_TRUE(find<effect::RecordVerdicts>(lost)->verdicts[0].perhaps_sent);
}

TEST_F(EngineTest, APeerThatStaysAwayDoesNotMakeAnEarlierAttemptUnsent) {
  step(event::Started{});
  claimed({row(1, 0, true)});
  const auto failed = delivered({outcome(1, Delivery::unreached)});
  EXPECT_TRUE(find<effect::RecordVerdicts>(failed)->verdicts[0].perhaps_sent);
}

TEST_F(EngineTest, ARefusedRowIsParkedWithItsReasonAndTheOthersGoOn) {
  step(event::Started{});
  claimed({row(1), row(2)});
  const auto done = delivered(
      {outcome(1, Delivery::refused, "unsupported SOP class"), outcome(2, Delivery::delivered)});
  const auto* record = find<effect::RecordVerdicts>(done);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->verdicts[0].what, Verdict::What::park);
  EXPECT_EQ(record->verdicts[0].reason, "unsupported SOP class");
  EXPECT_EQ(record->verdicts[1].what, Verdict::What::done);
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::up);
}

TEST_F(EngineTest, ARowThatFailsByItselfIsHeldBackAloneAndTriedAgain) {
  step(event::Started{});
  claimed({row(1)});
  delivered({outcome(1, Delivery::failed, "500")});
  const auto next = claimed({row(2)});
  const auto* claim = find<effect::ClaimRows>(next);
  ASSERT_TRUE(claim);
  EXPECT_TRUE(claim->held.contains(1));

  now_ += seconds(11);
  delivered({outcome(2, Delivery::delivered)});
  const auto later = claimed({});
  const auto again = step(event::Ticked{});
  const auto* released = find<effect::ClaimRows>(later) ? find<effect::ClaimRows>(later)
                                                        : find<effect::ClaimRows>(again);
  const auto queued = step(event::Queued{});
  if (!released) released = find<effect::ClaimRows>(queued);
  ASSERT_TRUE(released);
  EXPECT_FALSE(released->held.contains(1));
}

TEST_F(EngineTest, ARowIsParkedAfterItsLastAttempt) {
  step(event::Started{});
  claimed({row(1, EngineOptions{}.attempts_max - 1)});
  const auto done = delivered({outcome(1, Delivery::failed, "500")});
  EXPECT_EQ(find<effect::RecordVerdicts>(done)->verdicts[0].what, Verdict::What::park);
}

TEST_F(EngineTest, ManyRowsFailingInARowMeanThePeerIsUnwell) {
  step(event::Started{});
  for (std::int64_t number = 1; number <= 5; ++number) {
    claimed({row(number)});
    delivered({outcome(number, Delivery::failed, "500")});
  }
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::down);
}

TEST_F(EngineTest, ASettlingSubjectIsAskedForAgainWhenItHasSettled) {
  step(event::Started{});
  const auto settles = now_ + seconds(3);
  const auto waiting = step(event::Claimed{"pacs", {}, settles, ""});
  ASSERT_TRUE(find<effect::WakeAt>(waiting));
  EXPECT_EQ(find<effect::WakeAt>(waiting)->time, settles);
  now_ = settles;
  EXPECT_TRUE(find<effect::ClaimRows>(step(event::Ticked{})));
}

TEST_F(EngineTest, ThePeersOwnWishToWaitIsHonoured) {
  step(event::Started{});
  claimed({row(1)});
  RowOutcome busy = outcome(1, Delivery::unreached, "503");
  busy.retry_after = seconds(120);
  const auto failed = delivered({busy});
  EXPECT_EQ(find<effect::WakeAt>(failed)->time, now_ + seconds(120));
}

TEST(EnginePull, PullsAtTheStartThenAtItsPaceAndAfterAFailureWithTheBackOff) {
  UplinkLimits limits;
  limits.pull_every = seconds(15);
  Engine engine({{"his", limits}}, EngineOptions{}, 1);
  core::Monotonic now{seconds(1'000)};
  const auto has_pull = [](const std::vector<Effect>& effects) {
    return std::any_of(effects.begin(), effects.end(), [](const Effect& e) {
      return std::holds_alternative<effect::StartPull>(e);
    });
  };
  EXPECT_TRUE(has_pull(engine.step(now, event::Started{})));
  engine.step(now, event::Claimed{"his", {}, std::nullopt, ""});
  PullReport reached;
  reached.reached = true;
  EXPECT_FALSE(has_pull(engine.step(now, event::Pulled{"his", reached})));
  now += seconds(15);
  EXPECT_TRUE(has_pull(engine.step(now, event::Ticked{})));
  EXPECT_FALSE(has_pull(engine.step(now, event::Pulled{"his", {}})));
  now += seconds(1);
  EXPECT_TRUE(has_pull(engine.step(now, event::Ticked{})));
}

TEST(RetryDelay, GrowsToItsLongestAndIsSpreadOverItsUpperHalf) {
  const RetryPace pace{milliseconds(1'000), milliseconds(60'000)};
  for (unsigned failures = 1; failures < 100; ++failures) {
    const auto whole =
        std::min<std::int64_t>(60'000, failures > 20 ? 60'000 : 1'000LL << (failures - 1));
    for (const std::uint64_t random : {std::uint64_t{0}, std::uint64_t{12'345}, UINT64_MAX}) {
      const auto delay = retry_delay(pace, failures, random).count();
      EXPECT_GE(delay, whole / 2);
      EXPECT_LE(delay, whole);
    }
  }
}

}  // namespace
}  // namespace gateway::sync
