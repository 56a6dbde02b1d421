// What retention does after the eviction: epochs retire some time after something was shredded; a
// round costs the same however much is held.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "crypto/epoch_rotation.h"
#include "sync/epoch_retirement.h"
#include "sync/eviction.h"
#include "sync/retention_round.h"
#include "sync/shredding.h"
#include "tests/sync/upkeep_fixture.h"

namespace gateway::sync {
namespace {

using std::chrono::hours;

/// A wall clock that is set by hand; what waits goes on at the real pace.
class SetClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return core::system_clock().monotonic(); }
  core::Wall wall() const override { return core::system_clock().wall() + ahead_; }
  void go_on(core::Milliseconds time) { ahead_ += time; }

 private:
  core::Milliseconds ahead_{0};
};

class RetirementTest : public UpkeepTest {
 protected:
  void evict_and_shred(std::int64_t row) {
    ASSERT_TRUE(evict(*held_, clock_, {row}).ok());
    ASSERT_TRUE(shred_doomed(held_->database(), held_->objects(), clock_, running_).ok());
    ASSERT_EQ(state(row), "evicted");
  }
  bool is_due() {
    auto due = is_retirement_due(*held_, files_, clock_, kRetireAfter);
    EXPECT_TRUE(due.ok()) << due.error().message();
    return due.ok() && *due;
  }
  std::vector<std::uint32_t> epochs() {
    auto list = held_->keyring().epochs();
    EXPECT_TRUE(list.ok());
    return *list;
  }

  SetClock clock_;
  const std::function<bool()> running_ = [] { return false; };
};

TEST_F(RetirementTest, IsDueThirtyDaysAfterSomethingWasShredded) {
  const auto gone = take_in("1.2", "1.2.3", "pixels", "verified");
  EXPECT_FALSE(is_due());
  evict_and_shred(gone);
  EXPECT_FALSE(is_due());
  clock_.go_on(hours(24 * 30) - hours(1));
  EXPECT_FALSE(is_due());
  clock_.go_on(hours(1));
  EXPECT_TRUE(is_due());
  clock_.go_on(-hours(24 * 365));
  EXPECT_TRUE(is_due()) << "a clock that was set back must not put it off";
}

TEST_F(RetirementTest, MovesTheSurvivorsAndDestroysTheKeysOfWhatWasShredded) {
  const auto gone = take_in("1.2", "1.2.3", "pixels", "verified");
  const auto doomed = take_in("1.4", "1.4.3", "doomed pixels", "verified");
  const auto kept = take_in("1.3", "1.3.3", "other pixels");
  evict_and_shred(gone);
  ASSERT_TRUE(evict(*held_, clock_, {doomed}).ok());  // not shredded yet
  const std::string doomed_path = path_of(object_of(doomed));
  const std::uint32_t before = epochs().back();
  ASSERT_TRUE(retire_epochs(*held_, files_, clock_, running_).ok());
  EXPECT_EQ(epochs().size(), 1u);
  EXPECT_GT(epochs().back(), before);
  EXPECT_FALSE(std::filesystem::exists(doomed_path)) << "carried into the new epoch";
  EXPECT_EQ(content(kept), part10_head("1.3.3") + "other pixels");
  EXPECT_EQ(count("SELECT count(*) FROM shredded"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE resource = 'key/epoch'"), 1);
  clock_.go_on(hours(24 * 365));
  EXPECT_FALSE(is_due()) << "nothing was shredded since";
}

TEST_F(RetirementTest, OneThatWasStoppedIsEndedByTheNextAndCountsOnce) {
  const auto gone = take_in("1.2", "1.2.3", "pixels", "verified");
  take_in("1.3", "1.3.3", "other pixels");
  evict_and_shred(gone);
  int asked = 0;
  const auto stopped = retire_epochs(*held_, files_, clock_, [&asked] { return ++asked > 1; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code(), core::Code::cancelled);
  EXPECT_TRUE(is_due());
  // Ended elsewhere, as the daemon does at its start.
  ASSERT_TRUE(crypto::finish_epoch_rotation(files_, folder_, held_->keyring(), held_->objects(),
                                            core::Milliseconds(1'000))
                  .ok());
  clock_.go_on(hours(24 * 365));
  EXPECT_FALSE(is_due());
}

TEST_F(RetirementTest, WhatIsShreddedAfterItsBeginningWaitsForTheNext) {
  const auto first = take_in("1.2", "1.2.3", "pixels", "verified");
  const auto later = take_in("1.3", "1.3.3", "other pixels", "verified");
  evict_and_shred(first);
  int asked = 0;
  ASSERT_FALSE(retire_epochs(*held_, files_, clock_, [&asked] { return ++asked > 1; }).ok());
  evict_and_shred(later);
  ASSERT_TRUE(retire_epochs(*held_, files_, clock_, running_).ok());
  EXPECT_FALSE(is_due());
  EXPECT_EQ(count("SELECT objects FROM shredded"), 1);
  clock_.go_on(kRetireAfter + hours(1));
  EXPECT_TRUE(is_due());
}

TEST_F(RetirementTest, AnObjectThatIsStillArrivingPutsItOff) {
  const auto gone = take_in("1.2", "1.2.3", "pixels", "verified");
  evict_and_shred(gone);
  auto arriving = held_->ingest().begin_object();
  ASSERT_TRUE(arriving.ok());
  const auto busy = retire_epochs(*held_, files_, clock_, running_);
  ASSERT_FALSE(busy.ok());
  EXPECT_EQ(busy.error().code(), core::Code::busy);
  arriving->reset();
  ASSERT_TRUE(retire_epochs(*held_, files_, clock_, running_).ok());
  EXPECT_EQ(epochs().size(), 1u);
}

TEST_F(RetirementTest, RetentionCallsItOnItsRounds) {
  options_.retention.keep = hours(24 * 30);
  options_.epochs_retire_after = core::Milliseconds(0);
  const auto old_row = take_in("1.2", "1.2.3", "old pixels");
  const auto young_row = take_in("1.9", "1.9.3", "young pixels");
  age("1.2", 31);
  const std::uint32_t before = epochs().back();
  run();
  ASSERT_TRUE(eventually(
      [&] { return count("SELECT count(*) FROM audit WHERE resource = 'key/epoch'") > 0; }));
  ASSERT_TRUE(eventually([&] { return count("SELECT count(*) FROM shredded") == 0; }));
  upkeep_.reset();
  EXPECT_GT(epochs().front(), before);
  EXPECT_EQ(state(old_row), "evicted");
  EXPECT_EQ(content(young_row), part10_head("1.9.3") + "young pixels");
}

TEST_F(RetirementTest, ARoundLooksAtABoundedNumberOfStudiesAndTheNextGoesOn) {
  const int studies = static_cast<int>(kFruitlessStudies) + 10;
  write([&](Connection& c) -> core::Status {
    for (int i = 0; i < studies; ++i) {
      GW_CHECK(
          c.run("INSERT INTO dicom_study (study_uid, imaging_study_id, identity, patient_id,"
                " patient_name, birth_date, sex, accession_number, study_id, study_date,"
                " study_time, description, referring_physician, received_at) VALUES"
                " (?1, ?1, 'linked', '', '', '', '', '', '', '', '', '', '', ?2)",
                core::cat("2.", i), core::to_instant(clock_.wall())));
    }
    return {};
  });
  RetentionPolicy policy;
  policy.free_below_bytes = 1'000;
  policy.free_until_bytes = 2'000;
  files_.free = 10;
  boost::asio::io_context loop;
  PacsClients pacs(loop.get_executor(), options_.connect);
  const RetentionSetting setting{held_, files_, clock_, policy, pacs, running_};
  RetentionWalk walk;
  RetentionReport report;
  const auto round = [&] {
    loop.restart();
    boost::asio::co_spawn(loop, retention_round(setting, walk, report), boost::asio::detached);
    loop.run();
  };
  round();
  EXPECT_FALSE(report.is_short) << "not every study was looked at";
  EXPECT_FALSE(walk.at.study_uid.empty());
  round();
  EXPECT_TRUE(report.is_short);
  EXPECT_TRUE(walk.at.study_uid.empty());
}

TEST_F(RetirementTest, TheWalkOverTheStudiesIsByItsIndex) {
  std::string detail;
  auto explained = held_->database().read([&](Connection& c) -> core::Status {
    GW_TRY(auto rows,
           c.query("EXPLAIN QUERY PLAN " + std::string(kEvictableStudies), 1, "", "", "~", 4));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) return {};
      detail += rows.text(3);
    }
  });
  ASSERT_TRUE(explained.ok()) << explained.error().message();
  EXPECT_NE(detail.find("dicom_study_evictable"), std::string::npos) << detail;
  EXPECT_EQ(detail.find("TEMP B-TREE"), std::string::npos) << detail;
}

}  // namespace
}  // namespace gateway::sync
