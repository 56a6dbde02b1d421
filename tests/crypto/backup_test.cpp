// A backup taken from a living gateway, written to a medium that fails at every step, and restored
// onto a bare box that is killed at every step.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/database_key.h"
#include "crypto/epoch_rotation.h"
#include "crypto/octets.h"
#include "tests/crypto/backup_box.h"
#include "tests/fakes/fault_files.h"
#include "tests/fakes/stopping_files.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;
using fakes::StoppingFiles;
using fakes::Unsynced;

TEST_F(BackupTest, ComesBackOnABareBox) {
  auto outcome = back_up(box_, core::system_files(), medium_);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_EQ(outcome->written, outcome->files);
  EXPECT_EQ(outcome->verified, outcome->files);
  const auto held = box_.held();
  box_.store("after the backup");
  Box bare(scratch_ / "bare");
  auto report = restore(core::system_files(), medium_, bare.folder());
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->objects, 3u);
  EXPECT_EQ(report->missing_count, 0u);
  EXPECT_TRUE(report->resync);
  bare.start();
  EXPECT_EQ(bare.held(), held);
  auto again = restore(core::system_files(), medium_, bare.folder());
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code(), core::Code::exists);
}

TEST_F(BackupTest, TheSecondRunWritesOnlyWhatChanged) {
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(box_.database()
                    .write([&](Connection& connection) {
                      return connection.run("INSERT INTO held VALUES (?, zeroblob(4000))",
                                            core::cat("no object ", i));
                    })
                    .ok());
  }
  ASSERT_TRUE(box_.database()
                  .write([](Connection& connection) {
                    return connection.run("DELETE FROM held WHERE id LIKE 'no%'");
                  })
                  .ok());
  auto grown = back_up(box_, core::system_files(), medium_);
  ASSERT_TRUE(grown.ok()) << grown.error().message();
  const std::string id = box_.store("one more");
  auto third = back_up(box_, core::system_files(), medium_);
  ASSERT_TRUE(third.ok()) << third.error().message();
  EXPECT_TRUE(std::filesystem::exists(medium_ + "/" + body_path(id)));
  // One object, the few pieces its row changed, and the key part.
  EXPECT_LT(third->written, 10u);
  EXPECT_GT(third->files, third->written);
}

TEST_F(BackupTest, WhatWasShreddedDoesNotComeBackFromTheNextRun) {
  const std::string secret = box_.store("to be forgotten");
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  const std::string run = *current_backup_run(core::system_files(), medium_);
  EXPECT_TRUE(std::filesystem::exists(medium_ + "/" + body_path(secret)));
  box_.remove(secret);
  ASSERT_TRUE(rotate_epochs(core::system_files(), box_.folder(), box_.keys(), box_.objects(),
                            core::Milliseconds(1000))
                  .ok());
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  EXPECT_FALSE(std::filesystem::exists(medium_ + "/" + body_path(secret)));
  EXPECT_FALSE(std::filesystem::exists(medium_ + "/" + run_path(run)));
  Box bare(scratch_ / "bare");
  auto report = restore(core::system_files(), medium_, bare.folder());
  ASSERT_TRUE(report.ok()) << report.error().message();
  bare.start();
  EXPECT_EQ(bare.held(), box_.held());
  EXPECT_EQ(bare.held().count(secret), 0u);
}

TEST_F(BackupTest, FollowsARotatedDatabaseKey) {
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  ASSERT_TRUE(
      rotate_database_key(core::system_files(), box_.keys(), box_.folder(), box_.database()).ok());
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  Box bare(scratch_ / "bare");
  ASSERT_TRUE(restore(core::system_files(), medium_, bare.folder()).ok());
  bare.start();
  EXPECT_EQ(bare.held(), box_.held());
}

TEST_F(BackupTest, NamesEveryDamagedFileAndRestoresTheRest) {
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  BackupFolder folder(core::system_files(), medium_);
  auto good = folder.verify();
  ASSERT_TRUE(good.ok()) << good.error().message();
  EXPECT_TRUE(good->bad.empty());
  const std::string victim = box_.store("damaged on the medium");
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  {
    std::fstream file(medium_ + "/" + body_path(victim),
                      std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(3);
    const int was = file.get();
    file.seekp(3);
    file.put(static_cast<char>(was ^ 1));
    ASSERT_TRUE(file.flush().good());
  }
  auto bad = folder.verify();
  ASSERT_TRUE(bad.ok());
  ASSERT_EQ(bad->bad.size(), 1u);
  EXPECT_NE(bad->bad[0].find(victim), std::string::npos);
  auto report = restore(core::system_files(), medium_, scratch_ / "bare");
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->missing_objects, std::vector<std::string>{victim});
  EXPECT_EQ(report->objects, 3u);
}

TEST_F(BackupTest, RefusesTheFolderOfAnotherGateway) {
  ASSERT_TRUE(core::system_files().make_folder(medium_).ok());
  ASSERT_TRUE(
      core::write_file_durably(core::system_files(), medium_ + "/GATEWAY", "somebody else\n").ok());
  auto outcome = back_up(box_, core::system_files(), medium_);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), core::Code::refused);
}

TEST_F(BackupTest, HoldsNothingReadable) {
  box_.store("PLANTED^PATIENT");
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(medium_)) {
    if (!entry.is_regular_file()) continue;
    auto text = core::read_whole_file(core::system_files(), entry.path().string(), 64U << 20);
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(text->find("PLANTED"), std::string::npos) << entry.path();
  }
}

/// The power goes at every operation of a run: the run before, or the new one, is whole; a further
/// run completes.
TEST_F(BackupTest, AMediumThatLosesPowerAtAnyStepHoldsAWholeBackup) {
  auto first = box_.begin();
  const std::string gone = box_.store("second run only");
  auto second = box_.begin();  // takes over the spool
  ASSERT_TRUE(second);
  const BackupFeed feed = feed_of(*second);
  std::uint64_t points = 0;
  for (Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
    for (std::uint64_t at = 1;; ++at) {
      FaultFiles medium;
      BackupFeed before = feed;
      before.run = "earlier";
      before.bodies.pop_back();
      ASSERT_TRUE(BackupFolder(medium, "/backup").run(before).ok());
      ASSERT_TRUE(medium.sync_folder("/").ok());
      medium.crash_at_operation(at);
      auto ran = BackupFolder(medium, "/backup").run(feed);
      const bool crashed = medium.crashed();
      ASSERT_TRUE(ran.ok() || crashed) << ran.error().message();
      medium.restart(unsynced);
      SCOPED_TRACE(testing::Message() << "crash at operation " << at << ", unsynced bytes "
                                      << static_cast<int>(unsynced));
      auto verdict = BackupFolder(medium, "/backup").verify();
      ASSERT_TRUE(verdict.ok()) << verdict.error().message();
      ASSERT_TRUE(verdict->bad.empty()) << verdict->bad.front();
      BackupFeed later = feed;
      later.run = "later";
      auto rerun = BackupFolder(medium, "/backup").run(later);
      ASSERT_TRUE(rerun.ok()) << rerun.error().message();
      verdict = BackupFolder(medium, "/backup").verify();
      ASSERT_TRUE(verdict.ok() && verdict->bad.empty());
      ASSERT_EQ(*current_backup_run(medium, "/backup"), "later");
      if (!crashed) break;
      ++points;
    }
  }
  std::cout << "crashed at " << points << " points\n";
}

TEST_F(BackupTest, ARestoreKilledAtAnyStepIsDoneAgain) {
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  const auto held = box_.held();
  std::uint64_t points = 0;
  for (std::uint64_t at = 1;; at += at < 20 ? 1 : 41) {
    const std::string bare = scratch_ / core::cat("bare", at);
    StoppingFiles files(core::system_files(), at);
    auto stopped = restore(files, medium_, bare);
    SCOPED_TRACE(testing::Message() << "stopped at operation " << at);
    if (!files.stopped()) {
      ASSERT_TRUE(stopped.ok()) << stopped.error().message();
      break;
    }
    ++points;
    if (!std::filesystem::exists(bare + "/keyring.json")) {
      auto again = restore(core::system_files(), medium_, bare);
      ASSERT_TRUE(again.ok()) << again.error().message();
    }
    Box restored(bare);
    restored.start();
    ASSERT_EQ(restored.held(), held);
    restored.stop();
    std::filesystem::remove_all(bare);
  }
  std::cout << "stopped at " << points << " points\n";
}

TEST_F(BackupTest, ARestoreBegunAgainAndCutOffDoesNotPassForTheFirst) {
  ASSERT_TRUE(back_up(box_, core::system_files(), medium_).ok());
  const std::string bare = scratch_ / "bare";
  ASSERT_TRUE(restore(core::system_files(), medium_, bare).ok());
  EXPECT_FALSE(*is_restore_cut_off(core::system_files(), bare));
  // As if it had been stopped before its very last step.
  ASSERT_TRUE(
      core::write_file_durably(core::system_files(), bare + "/restore-unfinished", "").ok());
  EXPECT_FALSE(*is_restore_cut_off(core::system_files(), bare)) << "all of it is there";
  StoppingFiles files(core::system_files(), 12);
  EXPECT_FALSE(restore(files, medium_, bare).ok());
  EXPECT_TRUE(*is_restore_cut_off(core::system_files(), bare));
  ASSERT_TRUE(restore(core::system_files(), medium_, bare).ok());
  EXPECT_FALSE(*is_restore_cut_off(core::system_files(), bare));
  EXPECT_EQ(restore(core::system_files(), medium_, bare).error().code(), core::Code::exists);
}

}  // namespace
}  // namespace gateway::crypto
