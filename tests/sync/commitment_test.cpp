// When a storage commitment is granted, refused, and still pending.
#include "sync/commitment.h"

#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

constexpr char kCt[] = "1.2.840.10008.5.1.4.1.1.2";

class CommitmentTest : public RecordsTest {
 protected:
  core::Status ask(std::vector<CommitmentItem> items, const std::string& transaction = "2.25.1") {
    const CommitmentRequest request{transaction, "CT1", "GATEWAY", "127.0.0.1", std::move(items)};
    return held_->database().write(
        [&](Connection& c) { return record_commitment(c, request, kNow); });
  }
  void decide(CommitmentRule rule = CommitmentRule::second_copy, bool may_still_come = false) {
    write([&](Connection& c) -> core::Status {
      GW_CHECK(decide_commitments(c, rule, [&](std::int64_t) { return may_still_come; }));
      return {};
    });
  }
  bool may_decide() {
    return *held_->database().read_value<bool>(
        [](Connection& c) { return may_decide_commitments(c, CommitmentRule::second_copy); });
  }
  std::vector<CommitmentReport> to_tell() {
    std::vector<CommitmentReport> reports;
    while (auto next = next_to_tell(reports.empty() ? 0 : reports.back().number))
      reports.push_back(std::move(*next));
    return reports;
  }
  std::optional<CommitmentReport> next_to_tell(std::int64_t after,
                                               const std::set<std::string>& not_to = {}) {
    auto next = held_->database().read_value<std::optional<CommitmentReport>>(
        [&](Connection& c) { return next_commitment_to_tell(c, after, not_to); });
    EXPECT_TRUE(next.ok());
    return *next;
  }
  std::vector<Question> questions(const std::string& uplink = "pacs", std::int64_t after = 0) {
    auto asked = held_->database().read_value<std::vector<Question>>(
        [&](Connection& c) { return commitment_questions(c, uplink, kNow, after, 10); });
    EXPECT_TRUE(asked.ok()) << asked.error().message();
    return *asked;
  }
  void deliver(const char* proof) {
    write([&](Connection& c) {
      return c.run(
          "INSERT OR REPLACE INTO dicom_delivery (instance, uplink, proof, at)"
          " SELECT row, 'pacs', ?, ? FROM dicom_instance",
          proof, kNow);
    });
  }
};

TEST_F(CommitmentTest, IsPendingUntilTheSecondCopyIsProven) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  decide();
  EXPECT_TRUE(to_tell().empty());
  EXPECT_TRUE(questions().empty());  // nobody has it yet whom one could ask
  deliver("stored");
  decide();
  EXPECT_TRUE(to_tell().empty());
  ASSERT_EQ(questions().size(), 1U);
  EXPECT_EQ(questions()[0].uplink, "pacs");
  deliver("verified");
  decide();
  ASSERT_EQ(to_tell().size(), 1U);
  EXPECT_EQ(to_tell()[0].verdicts[0].reason, 0);
  EXPECT_EQ(to_tell()[0].calling_ae_title, "CT1");
}

TEST_F(CommitmentTest, ACopyThatDiffersProvesNothing) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  deliver("differs");
  decide();
  EXPECT_TRUE(to_tell().empty());
  EXPECT_TRUE(questions().empty());  // asked just now
}

TEST_F(CommitmentTest, ASiteMayBeContentWithItsOwnCopy) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  decide(CommitmentRule::stored);
  EXPECT_TRUE(to_tell().empty());
  ASSERT_EQ(questions("").size(), 1U);
  write([](Connection& c) { return c.run("UPDATE dicom_instance SET digest = 'd'"); });
  decide(CommitmentRule::stored);
  EXPECT_EQ(to_tell().size(), 1U);
}

TEST_F(CommitmentTest, RefusesWhatNeverCameAfterAWhile) {
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  decide(CommitmentRule::second_copy, true);
  EXPECT_TRUE(to_tell().empty());
  decide();
  ASSERT_EQ(to_tell().size(), 1U);
  EXPECT_EQ(to_tell()[0].verdicts[0].reason, 0x0112);
}

TEST_F(CommitmentTest, NamesAClassConflictAndDamage) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  store(facts("1.2.3", "1.2.3.2"), "two");
  write([](Connection& c) {
    return c.run("UPDATE dicom_instance SET state = 'damaged' WHERE sop_instance_uid = '1.2.3.2'");
  });
  ASSERT_TRUE(ask({{"1.2.840.10008.5.1.4.1.1.4", "1.2.3.1"}, {kCt, "1.2.3.2"}}).ok());
  decide();
  ASSERT_EQ(to_tell().size(), 1U);
  EXPECT_EQ(to_tell()[0].verdicts[0].reason, 0x0119);
  EXPECT_EQ(to_tell()[0].verdicts[1].reason, 0x0110);
}

TEST_F(CommitmentTest, ALargeRequestThatWaitsKeepsNobodyElseWaiting) {
  std::vector<CommitmentItem> study;
  for (int i = 0; i < 3'000; ++i) study.push_back({kCt, core::cat("1.2.4.", i)});
  store(facts("1.2.3", "1.2.3.1"), "one");
  write([](Connection& c) {
    return c.run(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)"
        " INSERT INTO dicom_instance SELECT NULL, '1.2.4.' || i, 0, study_uid, series_uid,"
        " sop_class_uid, transfer_syntax_uid, '', '', 'o' || i, size, data_set_offset,"
        " calling_ae_title, received_at, 'held', '', 0, '', 0 FROM n, dicom_instance");
  });
  ASSERT_TRUE(ask(std::move(study), "2.25.1").ok());
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}, "2.25.2").ok());
  EXPECT_FALSE(may_decide());
  write([](Connection& c) {
    return c.run(
        "INSERT INTO dicom_delivery (instance, uplink, proof, at) SELECT row, 'pacs', 'verified',"
        " received_at FROM dicom_instance WHERE sop_instance_uid = '1.2.3.1'");
  });
  EXPECT_TRUE(may_decide());
  decide();
  ASSERT_EQ(to_tell().size(), 1U);
  EXPECT_EQ(to_tell()[0].transaction_uid, "2.25.2");
  // Nor does a question nobody answers.
  const auto asked = questions("");
  ASSERT_EQ(asked.size(), 10U);
  EXPECT_GT(questions("", asked[0].row).at(0).row, asked[0].row);
}

TEST_F(CommitmentTest, IsPendingWhileOtherBytesUnderTheUidAreHereOnly) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  deliver("verified");
  ASSERT_EQ(store(facts("1.2.3", "1.2.3.1"), "two"), StoreOutcome::other_copy);
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  decide();
  EXPECT_TRUE(to_tell().empty());
  decide(CommitmentRule::stored);
  EXPECT_TRUE(to_tell().empty());
  EXPECT_EQ(questions("").size(), 2U);
  deliver("verified");
  decide();
  EXPECT_EQ(to_tell().size(), 1U);
}

TEST_F(CommitmentTest, AModalityThatIsOffIsSteppedOver) {
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}, "2.25.1").ok());
  decide();
  EXPECT_EQ(next_to_tell(0, {"CT2"})->transaction_uid, "2.25.1");
  EXPECT_FALSE(next_to_tell(0, {"CT1"}).has_value());
}

TEST_F(CommitmentTest, AskedAgainItIsToldAgainAndNothingElseUnderItsName) {
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  decide();
  const std::int64_t number = to_tell().at(0).number;
  write([&](Connection& c) { return commitment_told(c, number, kNow, "2026-02-01T00:00:00Z"); });
  EXPECT_TRUE(to_tell().empty());
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  EXPECT_EQ(to_tell().size(), 1U);
  EXPECT_EQ(ask({{kCt, "1.2.3.2"}}).error().code(), core::Code::exists);
}

TEST_F(CommitmentTest, WhatWasToldLongAgoIsForgotten) {
  ASSERT_TRUE(ask({{kCt, "1.2.3.1"}}).ok());
  decide();
  const std::int64_t number = to_tell().at(0).number;
  write([&](Connection& c) { return commitment_told(c, number, kNow, "2026-04-01T00:00:00Z"); });
  EXPECT_EQ(count("SELECT count(*) FROM commitment"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM commitment_item"), 0);
}

}  // namespace
}  // namespace gateway::sync
