// What waits for central operations, in the real database.
#include "sync/central_outbox.h"

#include <gmock/gmock.h>

#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CentralOutboxTest : public RecordsTest {
 protected:
  void note(const std::vector<CentralAlarm>& alarms, const char* instant = kNow) {
    write([&](Connection& c) { return note_alarms(c, alarms, {"boot", "boot/1", instant}); });
  }
  std::vector<CentralMessage> waiting(std::int64_t count_max = 100) {
    auto messages = held_->database().read_value<std::vector<CentralMessage>>(
        [&](Connection& c) { return oldest_central(c, count_max); });
    EXPECT_TRUE(messages.ok());
    return messages.ok() ? std::move(*messages) : std::vector<CentralMessage>();
  }
  /// "number event alarm severity" of each.
  std::vector<std::string> told() {
    std::vector<std::string> list;
    for (const CentralMessage& message : waiting()) {
      const Json event = *Json::parse(message.payload);
      list.push_back(core::cat(message.number, ' ', event["event"].text(), ' ',
                               event["alarm"].text(), ' ', event["severity"].text()));
    }
    return list;
  }

  const CentralAlarm down_{"uplink/his", "warning", "does not get through"};
};

TEST_F(CentralOutboxTest, AnAlarmIsToldOnceWhenItBeginsAndOnceWhenItEnds) {
  note({down_});
  note({{down_.name, down_.severity, "the same in other words"}});
  ASSERT_TRUE(reopen().ok());
  note({down_});
  note({});
  note({});
  EXPECT_THAT(told(), ElementsAre("1 raised uplink/his warning", "2 cleared uplink/his warning"));
}

TEST_F(CentralOutboxTest, AnotherSeverityEndsTheOldAlarmAndBeginsANewOne) {
  note({down_});
  note({{down_.name, "critical", "worse"}});
  EXPECT_THAT(told(), ElementsAre("1 raised uplink/his warning", "2 cleared uplink/his warning",
                                  "3 raised uplink/his critical"));
}

TEST_F(CentralOutboxTest, AClockThatGoesBackChangesNeitherOrderNorNumbers) {
  note({down_}, "2031-01-01T00:00:00.000Z");
  note({}, "1970-01-01T00:00:00.000Z");
  EXPECT_THAT(told(), ElementsAre("1 raised uplink/his warning", "2 cleared uplink/his warning"));
  const Json cleared = *Json::parse(waiting()[1].payload);
  EXPECT_EQ(cleared["raised_at"].text(), "2031-01-01T00:00:00.000Z");
  EXPECT_EQ(cleared["at"].text(), "1970-01-01T00:00:00.000Z");
}

TEST_F(CentralOutboxTest, NumbersAreNeverUsedAgain) {
  note({down_});
  write([](Connection& c) { return forget_central(c, 1); });
  EXPECT_THAT(told(), IsEmpty());
  ASSERT_TRUE(reopen().ok());
  note({});
  EXPECT_THAT(told(), ElementsAre("2 cleared uplink/his warning"));
}

TEST_F(CentralOutboxTest, TheOldestMakesRoomOnceTenThousandWait) {
  write([](Connection& c) {
    return c.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO central_message (topic, session, payload) SELECT 'events', '', '{}' FROM n",
        kCentralMessagesMax);
  });
  note({down_});
  note({});
  EXPECT_EQ(count("SELECT COUNT(*) FROM central_message"), kCentralMessagesMax);
  EXPECT_EQ(waiting(1)[0].number, 3);
  EXPECT_EQ(count("SELECT MAX(number) FROM central_message"), kCentralMessagesMax + 2);
}

TEST_F(CentralOutboxTest, OfTwoWholesInPartsOnlyTheNewerWaits) {
  note({down_});
  const auto queue = [&](const std::vector<Json>& parts) {
    write([&](Connection& c) { return queue_parts(c, "diagnostics", parts); });
  };
  queue({"a1", "a2", "a3"});
  write([](Connection& c) { return forget_central(c, 2); });
  queue({"b1", "b2"});
  const auto all = waiting();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].topic, kCentralEvents);
  EXPECT_EQ(all[1].payload, "\"b1\"");
  EXPECT_EQ(all[2].payload, "\"b2\"");
  EXPECT_FALSE(all[2].retained);
}

}  // namespace
}  // namespace gateway::sync
