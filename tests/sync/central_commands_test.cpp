// Which commands are taken on, and what is remembered of them, in the real database.
#include "sync/central_commands.h"

#include <gmock/gmock.h>

#include "core/civil_time.h"
#include "core/ids.h"
#include "sync/central_outbox.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;

class CentralCommandsTest : public RecordsTest {
 protected:
  static CentralCommand command(core::Wall issued, core::Milliseconds life = hours(1)) {
    CentralCommand made;
    made.id = core::new_uuid();
    made.digest = "digest of " + made.id;
    made.signer = "central";
    made.kind = "sync-now";
    made.parameters = "{}";
    made.issued = issued;
    made.expires = issued + life;
    return made;
  }
  /// "accepted", "repeated", or why it was refused.
  std::string admit(const CentralCommand& wanted, core::Wall now) {
    Admission admission = Admission::repeated;
    const auto status = held_->database().write([&](Connection& c) -> core::Status {
      GW_TRY(admission, admit_command(c, wanted, now));
      return {};
    });
    if (!status.ok()) return status.error().message();
    return admission == Admission::accepted ? "accepted" : "repeated";
  }
  void run(const CentralCommand& wanted, const CommandEnd& end = {}) {
    write([&](Connection& c) -> core::Status {
      GW_CHECK(begin_command(c, wanted.id, kNow));
      return end_command(c, wanted.id, end, kNow);
    });
  }
  /// What the broker would hold at a topic: the payload of the last that waits.
  std::string told(const std::string& id) {
    return text("SELECT payload FROM central_message WHERE retained = 1 AND topic = 'command/" +
                id + "' ORDER BY number DESC");
  }
  std::string state(const std::string& id) {
    const auto json = Json::parse(told(id));
    return json.ok() ? std::string((*json)["state"].text()) : told(id);
  }

  const core::Wall now_ = *core::parse_instant(kNow);
};

TEST_F(CentralCommandsTest, OneIsTakenOnOnceAndItsStateToldAgain) {
  const CentralCommand wanted = command(now_);
  EXPECT_EQ(admit(wanted, now_), "accepted");
  EXPECT_EQ(state(wanted.id), "accepted");
  run(wanted);
  write([](Connection& c) { return c.run("DELETE FROM central_message"); });
  ASSERT_TRUE(reopen().ok());
  EXPECT_EQ(admit(wanted, now_), "repeated");
  EXPECT_EQ(admit(wanted, now_ + hours(48)), "repeated") << "also when its time is over";
  EXPECT_EQ(state(wanted.id), "done");
  EXPECT_EQ(count("SELECT COUNT(*) FROM central_message"), 1) << "the newest state only";
}

TEST_F(CentralCommandsTest, AnIdServesOneCommandOnly) {
  const CentralCommand first = command(now_);
  CentralCommand second = command(now_);
  second.id = first.id;
  EXPECT_EQ(admit(first, now_), "accepted");
  EXPECT_THAT(admit(second, now_), HasSubstr("used by another"));
  EXPECT_EQ(count("SELECT COUNT(*) FROM central_command"), 1);
}

TEST_F(CentralCommandsTest, WhatHasExpiredOrIsFromTheFutureIsRefused) {
  EXPECT_THAT(admit(command(now_ - hours(2)), now_), HasSubstr("has expired"));
  EXPECT_THAT(admit(command(now_ + minutes(6)), now_), HasSubstr("one of the two clocks is wrong"));
  EXPECT_EQ(admit(command(now_ + minutes(4)), now_), "accepted");
  EXPECT_THAT(admit(command(now_, hours(8 * 24)), now_), HasSubstr("seven days"));
  EXPECT_THAT(admit(command(now_, -hours(1)), now_), HasSubstr("before it was issued"));
}

TEST_F(CentralCommandsTest, AClockSetBackBringsNoOldCommandToLife) {
  const CentralCommand old = command(now_ - hours(5));
  EXPECT_EQ(admit(command(now_), now_), "accepted");
  EXPECT_THAT(admit(old, old.issued), HasSubstr("has expired"));
  ASSERT_TRUE(reopen().ok());
  EXPECT_THAT(admit(old, old.issued), HasSubstr("has expired"));
}

TEST_F(CentralCommandsTest, WhatWasRunningAtAStopHasFailedAndTheRestStillWaits) {
  const CentralCommand begun = command(now_);
  const CentralCommand waiting = command(now_);
  EXPECT_EQ(admit(begun, now_), "accepted");
  EXPECT_EQ(admit(waiting, now_), "accepted");
  write([&](Connection& c) { return begin_command(c, begun.id, kNow); });
  ASSERT_TRUE(reopen().ok());
  write([](Connection& c) { return fail_interrupted_commands(c, kNow); });
  EXPECT_EQ(state(begun.id), "failed");
  EXPECT_THAT(told(begun.id), HasSubstr("the gateway stopped while it ran"));
  std::optional<CentralCommand> next;
  write([&](Connection& c) -> core::Status {
    GW_TRY(next, next_command(c));
    return {};
  });
  ASSERT_TRUE(next);
  EXPECT_EQ(next->id, waiting.id);
}

TEST_F(CentralCommandsTest, TheBrokerHoldsTheNewestStatesAndTheOlderAreTakenAway) {
  const CentralCommand first = command(now_);
  EXPECT_EQ(admit(first, now_), "accepted");
  run(first);
  for (std::int64_t i = 1; i < kCommandStatesMax; ++i) {
    const CentralCommand next = command(now_);
    EXPECT_EQ(admit(next, now_), "accepted");
    run(next);
  }
  EXPECT_EQ(state(first.id), "done");
  EXPECT_EQ(admit(command(now_), now_), "accepted");
  EXPECT_EQ(told(first.id), "") << "an empty payload";
  EXPECT_EQ(count("SELECT COUNT(*) FROM central_command WHERE retained = 1"), kCommandStatesMax);
}

TEST_F(CentralCommandsTest, AnIdIsForgottenOnlyWhenItsTimeIsOver) {
  for (std::int64_t i = 0; i < kCommandsRememberedMax; ++i) {
    const CentralCommand next = command(now_, i == 7 ? minutes(10) : hours(1));
    ASSERT_EQ(admit(next, now_), "accepted");
    run(next);
  }
  EXPECT_THAT(admit(command(now_), now_), HasSubstr("too many"));
  const CentralCommand later = command(now_ + minutes(20));
  EXPECT_EQ(admit(later, now_ + minutes(20)), "accepted");
  EXPECT_EQ(count("SELECT COUNT(*) FROM central_command"), kCommandsRememberedMax);
}

}  // namespace
}  // namespace gateway::sync
