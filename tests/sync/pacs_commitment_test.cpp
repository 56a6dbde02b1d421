// What a PACS commits itself to counts as proof, and nothing else it says does.
#include "sync/pacs_commitment.h"

#include <gmock/gmock.h>

#include "sync/eviction.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using ::testing::SizeIs;

constexpr char kLater[] = "2026-03-02T00:00:00.000Z";

class PacsCommitmentTest : public RecordsTest {
 protected:
  void deliver(const char* proof = "stored") {
    write([&](Connection& c) {
      return c.run(
          "INSERT OR REPLACE INTO dicom_delivery (instance, uplink, proof, at)"
          " SELECT row, 'pacs', ?, ? FROM dicom_instance",
          proof, kNow);
    });
  }
  PacsCommitment begin(const AskingTimes& times = {kNow, kNow, ""}) {
    PacsCommitment made;
    write([&](Connection& c) -> core::Status {
      GW_TRY(made, begin_pacs_commitment(c, "pacs", times, 100));
      return {};
    });
    return made;
  }
  core::Result<PacsVerdict> tell(const PacsReport& report, bool may_tell = true) {
    core::Result<PacsVerdict> told = PacsVerdict();
    const auto status = held_->database().write([&](Connection& c) -> core::Status {
      told = record_pacs_report(
          c, report, [&](const std::string&) { return may_tell; }, kLater);
      return told.ok() ? core::Status() : core::Status(told.error());
    });
    EXPECT_EQ(status.ok(), told.ok());
    return told;
  }
  std::string proof_of(const std::string& uid) {
    return text(
        core::cat("SELECT d.proof FROM dicom_delivery d JOIN dicom_instance i ON"
                  " i.row = d.instance WHERE i.sop_instance_uid = '",
                  uid, "' ORDER BY i.copy LIMIT 1"));
  }
  std::uint64_t evicted() {
    const auto gone = evict(*held_, core::system_clock(),
                            {count("SELECT min(row) FROM"
                                   " dicom_instance")});
    EXPECT_TRUE(gone.ok());
    return gone->instances;
  }
};

TEST_F(PacsCommitmentTest, WhatWasCommittedMayGoAndNothingBefore) {
  pull(kPatient);
  store(facts("1.2.3", "1.2.3.1"), "one");
  EXPECT_THAT(begin().items, SizeIs(0)) << "it was not delivered yet";
  deliver();
  const auto asked = begin();
  ASSERT_THAT(asked.items, SizeIs(1));
  EXPECT_EQ(asked.items[0].sop_instance_uid, "1.2.3.1");
  EXPECT_EQ(evicted(), 0u);
  const auto told = tell({asked.transaction_uid, {"1.2.3.1"}, {}});
  ASSERT_TRUE(told.ok());
  EXPECT_EQ(told->uplink, "pacs");
  EXPECT_EQ(told->committed, 1);
  EXPECT_EQ(proof_of("1.2.3.1"), "committed");
  EXPECT_EQ(evicted(), 1u);
}

TEST_F(PacsCommitmentTest, AModalityIsToldThatItIsSafe) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  deliver();
  const CommitmentRequest request{
      "2.25.1", "CT1", "GW", "127.0.0.1", {{"1.2.840.10008.5.1.4.1.1.2", "1.2.3.1"}}};
  write([&](Connection& c) { return record_commitment(c, request, kNow); });
  const auto asked = begin();
  const auto ready = [&] {
    return *held_->database().read_value<bool>(
        [](Connection& c) { return may_decide_commitments(c, CommitmentRule::second_copy); });
  };
  EXPECT_FALSE(ready());
  ASSERT_TRUE(tell({asked.transaction_uid, {"1.2.3.1"}, {}}).ok());
  EXPECT_TRUE(ready());
}

TEST_F(PacsCommitmentTest, WhatThePacsLacksIsMissingAndOtherFailuresChangeNothing) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  store(facts("1.2.3", "1.2.3.2"), "two");
  deliver();
  const auto asked = begin();
  const auto told = tell({asked.transaction_uid, {}, {{"1.2.3.1", 0x0112}, {"1.2.3.2", 0x0110}}});
  ASSERT_TRUE(told.ok());
  EXPECT_EQ(told->missing, 1);
  EXPECT_EQ(proof_of("1.2.3.1"), "missing");
  EXPECT_EQ(proof_of("1.2.3.2"), "stored");
}

TEST_F(PacsCommitmentTest, NobodyIsAskedTwiceBeforeItIsTimeAndThenBothAnswersCount) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  deliver();
  const auto first = begin();
  EXPECT_THAT(begin().items, SizeIs(0));
  const auto second = begin({kLater, kLater, ""});
  ASSERT_THAT(second.items, SizeIs(1));
  EXPECT_TRUE(tell({first.transaction_uid, {"1.2.3.1"}, {}}).ok());
  EXPECT_EQ(proof_of("1.2.3.1"), "committed");
}

TEST_F(PacsCommitmentTest, WhatWasAskedByAClockThatWasAheadIsAskedAgain) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  deliver();
  ASSERT_THAT(begin({kLater, kLater, ""}).items, SizeIs(1));
  EXPECT_TRUE(*held_->database().read_value<bool>([](Connection& c) {
    return has_uncommitted(c, "pacs", {kNow, kNow, ""});
  }));
  EXPECT_THAT(begin().items, SizeIs(1));
  EXPECT_EQ(count("SELECT count(*) FROM pacs_commitment"), 1) << "the one of the future is gone";
}

TEST_F(PacsCommitmentTest, AReportOfNobodyWeAskedOrOfAnotherPacsChangesNothing) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  deliver();
  const auto asked = begin();
  EXPECT_EQ(tell({"2.25.999", {"1.2.3.1"}, {}}).error().code(), core::Code::not_found);
  EXPECT_EQ(tell({asked.transaction_uid, {"1.2.3.1"}, {}}, false).error().code(),
            core::Code::refused);
  EXPECT_EQ(proof_of("1.2.3.1"), "stored");
  // What it was not asked about it cannot prove.
  store(facts("1.2.3", "1.2.3.2"), "two");
  write([&](Connection& c) {
    return c.run(
        "INSERT INTO dicom_delivery (instance, uplink, proof, at) SELECT row, 'pacs', 'stored', ?"
        " FROM dicom_instance WHERE sop_instance_uid = '1.2.3.2'",
        kNow);
  });
  ASSERT_TRUE(tell({asked.transaction_uid, {"1.2.3.2"}, {}}).ok());
  EXPECT_EQ(proof_of("1.2.3.2"), "stored");
}

TEST_F(PacsCommitmentTest, ItsUidAloneProvesNothingWhereOtherBytesAreHeldUnderIt) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  ASSERT_EQ(store(facts("1.2.3", "1.2.3.1"), "two"), StoreOutcome::other_copy);
  deliver();
  const auto asked = begin();
  EXPECT_THAT(asked.items, SizeIs(1)) << "it is named once";
  ASSERT_TRUE(tell({asked.transaction_uid, {"1.2.3.1"}, {}}).ok());
  EXPECT_EQ(proof_of("1.2.3.1"), "stored");
}

TEST_F(PacsCommitmentTest, APacsThatWasNotReachedIsAskedAgainSoon) {
  store(facts("1.2.3", "1.2.3.1"), "one");
  deliver();
  for (const bool has_heard : {false, true}) {
    const auto asked = begin();
    ASSERT_THAT(asked.items, SizeIs(1));
    write([&](Connection& c) { return ask_again(c, asked.transaction_uid, "", has_heard); });
  }
  EXPECT_EQ(count("SELECT count(*) FROM pacs_commitment"), 1) << "of that one an answer may come";
  begin({kLater, kLater, kLater});
  EXPECT_EQ(count("SELECT count(*) FROM pacs_commitment WHERE asked_at < '2026-03-02'"), 0);
}

}  // namespace
}  // namespace gateway::sync
