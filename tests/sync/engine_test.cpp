// The engine decides alone: no I/O, time and events go in, effects come out.
#include "sync/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

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

TEST_F(EngineTest, KeepsAsManyInFlightAsTheUplinkFoundToServeBest) {
  step(event::Started{});
  claimed({row(1)});
  claimed({row(2)});
  const auto wider = step(event::Delivered{"pacs", {outcome(1, Delivery::delivered)}, 3});
  EXPECT_TRUE(find<effect::ClaimRows>(wider));
  EXPECT_TRUE(find<effect::ClaimRows>(claimed({row(3)})));
  EXPECT_FALSE(find<effect::ClaimRows>(claimed({row(4)})));
  step(event::Delivered{"pacs", {outcome(2, Delivery::delivered)}, 1});
  EXPECT_FALSE(
      find<effect::ClaimRows>(step(event::Delivered{"pacs", {outcome(3, Delivery::delivered)}, 0})))
      << "one is in flight";
}

TEST_F(EngineTest, AnEmptyOutboxIsAskedAgainOnlyWhenSomethingWasQueued) {
  step(event::Started{});
  EXPECT_FALSE(find<effect::ClaimRows>(claimed({})));
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::Ticked{})));
  EXPECT_TRUE(find<effect::ClaimRows>(step(event::Queued{})));
}

TEST_F(EngineTest, APeerThatRefusesOneQueryIsUpAndWhatItRefusedIsTold) {
  step(event::Started{});
  PullReport report;
  report.reached = true;
  report.refused = "pull of Task: the server answered 403";
  step(event::Pulled{"pacs", report});
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::up);
  EXPECT_EQ(engine_.standing("pacs").last_error, report.refused);
  report.refused.clear();
  step(event::Pulled{"pacs", report});
  EXPECT_EQ(engine_.standing("pacs").last_error, "");
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

TEST_F(EngineTest, WhatIsBegunGoesOnInItsTurnAndProvesThatTheLinkWorks) {
  step(event::Started{});
  claimed({row(1)});
  delivered({outcome(1, Delivery::unreached, "no route")});
  now_ += seconds(2);
  step(event::Ticked{});
  claimed({row(1)});
  const auto effects = delivered({outcome(1, Delivery::begun, "a part of it is at the hub")});
  const Verdict verdict = find<effect::RecordVerdicts>(effects)->verdicts[0];
  EXPECT_EQ(verdict.what, Verdict::What::again);
  EXPECT_FALSE(verdict.perhaps_sent);
  EXPECT_FALSE(verdict.counts_as_attempt);
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::up);
  const auto next = step(event::Recorded{"pacs", {}});
  ASSERT_TRUE(find<effect::ClaimRows>(next) || find<effect::ClaimRows>(effects));
}

TEST_F(EngineTest, WhatThePeerHasNoRoomForWaitsAsLongAsItSaysAndIsNeverParked) {
  step(event::Started{});
  for (int i = 0; i < 20; ++i) {
    claimed({row(1), row(2)});
    claimed({});
    RowOutcome full = outcome(1, Delivery::begun, "the hub has no room");
    full.retry_after = seconds(60);
    const auto effects = delivered({full, outcome(2, Delivery::delivered)});
    const auto verdicts = find<effect::RecordVerdicts>(effects)->verdicts;
    EXPECT_EQ(verdicts[0].what, Verdict::What::again);
    EXPECT_FALSE(verdicts[0].counts_as_attempt);
    now_ += seconds(1);
    const auto queued = step(event::Queued{});
    const auto* early = find<effect::ClaimRows>(effects);
    if (early == nullptr) early = find<effect::ClaimRows>(queued);
    ASSERT_TRUE(early);
    EXPECT_TRUE(early->held.contains(1));
    claimed({});
    now_ += seconds(60);
    const auto due = step(event::Ticked{});
    ASSERT_TRUE(find<effect::ClaimRows>(due));
    EXPECT_FALSE(find<effect::ClaimRows>(due)->held.contains(1));
  }
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

TEST_F(EngineTest, WhatNeedsNoSendingEndsAndSaysNothingOfThePeer) {
  step(event::Started{});
  claimed({row(1)});
  const auto done = delivered({outcome(1, Delivery::needless)});
  ASSERT_TRUE(find<effect::RecordVerdicts>(done));
  EXPECT_EQ(find<effect::RecordVerdicts>(done)->verdicts.at(0).what, Verdict::What::drop);
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::unknown);
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
  claimed({row(1, EngineOptions{}.attempts_max - 1), row(2)});
  const auto done =
      delivered({outcome(1, Delivery::failed, "500"), outcome(2, Delivery::delivered)});
  EXPECT_EQ(find<effect::RecordVerdicts>(done)->verdicts[0].what, Verdict::What::park);
}

TEST_F(EngineTest, AFailureIsNoSignOfLife) {
  step(event::Started{});
  claimed({row(1)});
  delivered({outcome(1, Delivery::failed, "500")});
  EXPECT_EQ(engine_.standing("pacs").state, UplinkStanding::State::unknown);
  EXPECT_EQ(engine_.standing("pacs").last_error, "500");
}

TEST_F(EngineTest, VerdictsThatCouldNotBeWrittenAreWrittenAgainAndNothingIsClaimedMeanwhile) {
  step(event::Started{});
  claimed({row(1)});
  claimed({});
  const auto record = *find<effect::RecordVerdicts>(delivered({outcome(1, Delivery::delivered)}));
  const auto kept = step(event::Recorded{"pacs", record.verdicts});
  EXPECT_FALSE(find<effect::RecordVerdicts>(kept));
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::Queued{})));
  now_ = find<effect::WakeAt>(kept)->time;
  const auto again = step(event::Ticked{});
  ASSERT_TRUE(find<effect::RecordVerdicts>(again));
  EXPECT_EQ(find<effect::RecordVerdicts>(again)->verdicts[0].number, 1);
  EXPECT_EQ(find<effect::RecordVerdicts>(again)->verdicts[0].what, Verdict::What::done);
  EXPECT_FALSE(find<effect::ClaimRows>(again));
  EXPECT_TRUE(find<effect::ClaimRows>(step(event::Recorded{"pacs", {}})));
}

/// A peer and its outbox in virtual time: every claim is answered at once, by `answer`.
class PeerInTime {
 public:
  using Answer = std::function<Delivery(std::int64_t)>;

  PeerInTime(int rows, UplinkLimits limits) : engine_({{"pacs", limits}}, EngineOptions{}, 7) {
    for (int number = 1; number <= rows; ++number)
      waiting_[number] = {number, "instance", std::to_string(number), 10, 0, false};
  }

  void run(core::Milliseconds span, const Answer& answer) {
    const core::Monotonic end = now_ + span;
    carry_out(engine_.step(now_, event::Queued{}), answer);
    while (wake_ && *wake_ <= end) {
      now_ = *std::exchange(wake_, std::nullopt);
      carry_out(engine_.step(now_, event::Ticked{}), answer);
    }
    now_ = end;
  }
  std::size_t waiting() const { return waiting_.size(); }
  const std::vector<std::int64_t>& parked() const { return parked_; }
  int requests() const { return requests_; }
  int times_up() const { return times_up_; }
  UplinkStanding standing() const { return engine_.standing("pacs"); }

 private:
  void carry_out(std::vector<Effect> effects, const Answer& answer) {
    std::vector<Effect> todo = std::move(effects);
    for (std::size_t i = 0; i < todo.size(); ++i) {
      const Effect effect = todo[i];
      std::optional<Event> next;
      if (const auto* claim = std::get_if<effect::ClaimRows>(&effect)) next = claimed(*claim);
      if (const auto* send = std::get_if<effect::DeliverRows>(&effect)) next = sent(*send, answer);
      if (const auto* record = std::get_if<effect::RecordVerdicts>(&effect)) next = noted(*record);
      if (std::holds_alternative<effect::StartPull>(effect)) {
        PullReport pulled;
        pulled.reached = true;
        next = event::Pulled{"pacs", pulled};
      }
      if (const auto* wake = std::get_if<effect::WakeAt>(&effect)) wake_ = wake->time;
      if (!next) continue;
      const auto before = standing().state;
      for (Effect& more : engine_.step(now_, *next)) todo.push_back(std::move(more));
      if (before != standing().state && standing().state == UplinkStanding::State::up) ++times_up_;
    }
  }
  event::Claimed claimed(const effect::ClaimRows& claim) {
    event::Claimed event{"pacs", {}, std::nullopt, ""};
    for (const auto& [number, row] : waiting_) {
      if (event.rows.size() == claim.rows_max) break;
      if (!claim.held.contains(number) && sending_.insert(number).second) event.rows.push_back(row);
    }
    return event;
  }
  event::Delivered sent(const effect::DeliverRows& send, const Answer& answer) {
    ++requests_;
    event::Delivered event{"pacs", {}};
    for (const OutboxRow& row : send.rows) {
      RowOutcome outcome;
      outcome.number = row.number;
      outcome.result = answer(row.number);
      outcome.reason = "500";
      event.outcomes.push_back(outcome);
    }
    return event;
  }
  event::Recorded noted(const effect::RecordVerdicts& record) {
    for (const Verdict& verdict : record.verdicts) {
      sending_.erase(verdict.number);
      waiting_[verdict.number].attempts += verdict.counts_as_attempt ? 1 : 0;
      if (verdict.what == Verdict::What::again) continue;
      waiting_.erase(verdict.number);
      if (verdict.what == Verdict::What::park) parked_.push_back(verdict.number);
    }
    return {"pacs", {}};
  }

  Engine engine_;
  core::Monotonic now_{seconds(1'000)};
  std::optional<core::Monotonic> wake_;
  std::map<std::int64_t, OutboxRow> waiting_;
  std::set<std::int64_t> sending_;
  std::vector<std::int64_t> parked_;
  int requests_ = 0;
  int times_up_ = 0;
};

UplinkLimits limits_of_pacs(bool pulls) {
  UplinkLimits limits;
  limits.rows_per_delivery = 4;
  limits.deliveries_in_flight = 2;
  if (pulls) limits.pull_every = seconds(15);
  return limits;
}

TEST(EngineOverHours, APeerThatFailsForEverybodyParksNothingAndGetsItAllWhenItIsWell) {
  for (const bool pulls : {false, true}) {
    PeerInTime peer(200, limits_of_pacs(pulls));
    peer.run(std::chrono::hours(12), [](std::int64_t) { return Delivery::failed; });
    EXPECT_TRUE(peer.parked().empty());
    EXPECT_EQ(peer.waiting(), 200u);
    EXPECT_EQ(peer.standing().state, UplinkStanding::State::down);
    EXPECT_EQ(peer.standing().last_error, "500");
    EXPECT_LE(peer.times_up(), 1) << "its state flips";
    EXPECT_LT(peer.requests(), 12 * 200) << "it is not left in peace";
    peer.run(std::chrono::minutes(3), [](std::int64_t) { return Delivery::delivered; });
    EXPECT_EQ(peer.waiting(), 0u);
    EXPECT_EQ(peer.standing().state, UplinkStanding::State::up);
  }
}

TEST(EngineOverHours, OneBadRowAmongGoodOnesIsParked) {
  PeerInTime peer(2'000, limits_of_pacs(false));
  // Good ones come at their own pace; the bad one is among them all the time.
  for (int minute = 0; minute < 12 * 60; ++minute) {
    int left = 2;
    peer.run(std::chrono::minutes(1), [&](std::int64_t number) {
      if (number == 1) return Delivery::failed;
      return left-- > 0 ? Delivery::delivered : Delivery::unreached;
    });
  }
  EXPECT_EQ(peer.parked(), std::vector<std::int64_t>{1});
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

TEST(EnginePull, AHintBringsAPullAtOnceAndManyHintsOneAfterAWhile) {
  UplinkLimits limits;
  limits.pull_every = seconds(3'600);
  Engine engine({{"his", limits}}, EngineOptions{}, 1);
  core::Monotonic now{seconds(1'000)};
  const auto has_pull = [](const std::vector<Effect>& effects) {
    return std::any_of(effects.begin(), effects.end(), [](const Effect& e) {
      return std::holds_alternative<effect::StartPull>(e);
    });
  };
  PullReport reached;
  reached.reached = true;
  EXPECT_TRUE(has_pull(engine.step(now, event::Started{})));
  engine.step(now, event::Claimed{"his", {}, std::nullopt, ""});
  EXPECT_FALSE(has_pull(engine.step(now, event::PullHinted{"his"}))) << "one is under way";
  const auto ended = engine.step(now, event::Pulled{"his", reached});
  EXPECT_FALSE(has_pull(ended)) << "five seconds between two";
  EXPECT_TRUE(std::any_of(ended.begin(), ended.end(), [&](const Effect& e) {
    const auto* wake = std::get_if<effect::WakeAt>(&e);
    return wake != nullptr && wake->time == now + seconds(5);
  })) << "what the hint was about may have come behind the pull";
  now += seconds(5);
  EXPECT_TRUE(has_pull(engine.step(now, event::Ticked{})));
  EXPECT_FALSE(has_pull(engine.step(now, event::Pulled{"his", reached})));
  now += seconds(60);
  EXPECT_FALSE(has_pull(engine.step(now, event::Ticked{}))) << "nobody hinted";
  EXPECT_TRUE(has_pull(engine.step(now, event::PullHinted{"his"})));
  PullReport failed;
  failed.error = "no route";
  engine.step(now, event::PullHinted{"his"});
  engine.step(now, event::Pulled{"his", failed});
  EXPECT_FALSE(has_pull(engine.step(now, event::PullHinted{"his"}))) << "the link has failed";
}

TEST_F(EngineTest, APausedUplinkEndsWhatIsUnderWayAndBeginsNothing) {
  step(event::Started{});
  claimed({row(1)});
  step(event::PauseSet{"pacs", true});
  const auto ended = delivered({outcome(1, Delivery::delivered)});
  EXPECT_TRUE(find<effect::RecordVerdicts>(ended));
  EXPECT_FALSE(find<effect::ClaimRows>(claimed({})));
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::Queued{})));
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::SyncWanted{})));
  EXPECT_TRUE(engine_.standing("pacs").paused);
  EXPECT_TRUE(find<effect::ClaimRows>(step(event::PauseSet{"pacs", false})));
}

TEST_F(EngineTest, WhoWantsASyncNeedNotWaitForTheBackOff) {
  step(event::Started{});
  claimed({row(1)});
  delivered({outcome(1, Delivery::unreached, "no route")});
  claimed({});
  EXPECT_FALSE(find<effect::ClaimRows>(step(event::Queued{})));
  const auto wanted = step(event::SyncWanted{});
  ASSERT_TRUE(find<effect::ClaimRows>(wanted));
  EXPECT_EQ(find<effect::ClaimRows>(wanted)->rows_max, 1u) << "still a guess";
}

TEST(EnginePull, APullThatHadNothingToAskSaysNothingAboutThePeer) {
  UplinkLimits limits;
  limits.pull_every = milliseconds(10'000);
  Engine engine({{"pacs", limits}}, EngineOptions{}, 1);
  const core::Monotonic now{seconds(1'000)};
  engine.step(now, event::Started{});
  RowOutcome unreached;
  unreached.number = 1;
  unreached.reason = "no route";
  engine.step(now, event::Claimed{"pacs", {{1, "instance", "1", 10}}, std::nullopt, ""});
  engine.step(now, event::Delivered{"pacs", {unreached}});
  PullReport idle;
  idle.reached = idle.idle = true;
  engine.step(now, event::Pulled{"pacs", idle});
  EXPECT_EQ(engine.standing("pacs").state, UplinkStanding::State::down);
  EXPECT_EQ(engine.standing("pacs").last_error, "no route");
  PullReport reached;
  reached.reached = true;
  engine.step(now, event::Pulled{"pacs", reached});
  EXPECT_EQ(engine.standing("pacs").state, UplinkStanding::State::up);
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
