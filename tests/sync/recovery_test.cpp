// A damaged database comes back from the backup, at whatever step the restore is stopped; the
// queues are looked up again, and what was received after the backup is not swept away.
#include "sync/recovery.h"

#include <fstream>
#include <utility>

#include "crypto/backup_folder.h"
#include "crypto/backup_restore.h"
#include "crypto/database_key.h"
#include "records_fixture.h"
#include "sync/rebuild.h"
#include "tests/crypto/backup_feed.h"
#include "tests/fakes/stopping_files.h"

namespace gateway::sync {
namespace {

class RecoveryTest : public RecordsTest {
 protected:
  void SetUp() override {
    RecordsTest::SetUp();
    backup_folder_ = folder_ + "/medium";
    std::filesystem::copy(keyring_folder_ + "/keyring", folder_,
                          std::filesystem::copy_options::recursive);
  }

  void back_up() { back_up_to(backup_folder_); }
  void back_up_to(const std::string& medium) {
    // The borrowed keyring makes its epochs in its own folder.
    std::filesystem::copy(keyring_folder_ + "/keyring", folder_,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    auto source = crypto::BackupSource::begin({core::system_files(), folder_, 0, held_->keyring(),
                                               held_->database(), held_->objects(), each_object,
                                               "2026-03-01T08:00:00.000Z"});
    ASSERT_TRUE(source.ok()) << source.error().message();
    auto written =
        crypto::BackupFolder(core::system_files(), medium).run(crypto::feed_of(**source));
    ASSERT_TRUE(written.ok()) << written.error().message();
  }

  void damage() {
    held_.reset();
    std::filesystem::remove(crypto::database_path(folder_) + "-wal");
    std::ofstream(crypto::database_path(folder_), std::ios::binary | std::ios::in)
        .write("damaged", 7);
  }

  void rot_a_piece() {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(backup_folder_ + "/database")) {
      if (!entry.is_regular_file()) continue;
      std::ofstream(entry.path(), std::ios::binary | std::ios::in).write("rotten", 6);
      return;
    }
    FAIL() << "no piece of the database in " << backup_folder_;
  }

  /// Stopped just when the damaged database is out of the way and the backup's not yet in.
  void stop_after_the_set_aside() {
    const auto database = crypto::database_path(folder_);
    for (std::uint64_t at = 1; std::filesystem::exists(database); ++at) {
      ASSERT_LT(at, 100u);
      fakes::StoppingFiles files(core::system_files(), at);
      ASSERT_FALSE(reopen(files).ok()) << at;
    }
    ASSERT_TRUE(report().resync);
  }

  void expect_the_rebuilt_index() {
    ASSERT_TRUE(held_);
    EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
    EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance' AND perhaps_sent = 1"), 1);
    EXPECT_FALSE(*crypto::has_restore_report(core::system_files(), folder_)) << "none took place";
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/database-damaged"));
    open();
    ASSERT_TRUE(held_) << "and it opens again";
  }

  crypto::RestoreReport report() {
    auto read = crypto::read_restore_report(core::system_files(), folder_);
    EXPECT_TRUE(read.ok());
    return *read;
  }
};

TEST_F(RecoveryTest, TheBackupComesBackAndEveryQueuedRowIsLookedUpFirst) {
  take_in("1.2.3", "1.2.3.1.1", "first image");
  back_up();
  const auto backed_up = count("SELECT max(seq) FROM audit");
  take_in("1.2.4", "1.2.4.1.1", "after the backup");
  store(facts("1.2.5", "1.2.5.1.1"), "no DICOM file");
  const auto lost = static_cast<std::uint64_t>(count("SELECT max(seq) FROM audit") - backed_up);
  ASSERT_GE(lost, 2u);
  damage();
  open();
  ASSERT_TRUE(held_);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM outbox o JOIN dicom_instance i ON o.subject = i.row"
                  " WHERE o.kind = 'instance' AND i.sop_instance_uid = '1.2.4.1.1'"),
            1)
      << "its sender was answered: it is sent";
  EXPECT_GT(count("SELECT count(*) FROM outbox"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE perhaps_sent = 0 OR state = 'sending'"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'restore'"), 1);
  const crypto::RestoreReport told = report();
  EXPECT_FALSE(told.resync);
  EXPECT_EQ(told.what, "database");
  EXPECT_EQ(told.created, "2026-03-01T08:00:00.000Z");
  EXPECT_EQ(told.unknown_objects, 1u) << "not to be read";
  EXPECT_EQ(told.missing_count, 0u);
  EXPECT_EQ(told.lost_actions, lost);
  EXPECT_NE(told.lost_until, "");
  EXPECT_TRUE(std::filesystem::exists(told.aside));
}

TEST_F(RecoveryTest, EvictedImagesAreNoLosses) {
  take_in("1.2.3", "1.2.3.1.1", "evicted image");
  const std::string id = text("SELECT object_id FROM dicom_instance");
  write([](Connection& c) {
    return c.run("UPDATE dicom_instance SET state = 'evicted', digest = 'known'");
  });
  ASSERT_TRUE(held_->objects().shred(id).ok());
  back_up();
  damage();
  open();
  ASSERT_TRUE(held_);
  EXPECT_EQ(report().missing_count, 0u);
}

TEST_F(RecoveryTest, NumbersGivenAfterTheBackupAreNotGivenAgain) {
  const auto order = [&](const std::string& id) {
    pull(core::cat(R"({"resourceType":"ServiceRequest","id":")", id,
                   R"(","status":"active","intent":"order","code":{"text":"CT"},)"
                   R"("subject":{"reference":"Patient/p1"}})"));
    return text(
        core::cat("SELECT accession_number || ' ' || step_id FROM worklist_step"
                  " WHERE service_request = '",
                  id, "'"));
  };
  pull(R"({"resourceType":"Patient","id":"p1","name":[{"family":"Roe"}]})");
  const std::string before = order("s1");
  back_up();
  const std::string after = order("s2");
  ASSERT_NE(before, after);
  damage();
  open();
  ASSERT_TRUE(held_);
  EXPECT_NE(order("s3"), after) << "the modality may hold it already";
}

TEST_F(RecoveryTest, DamageFoundWhileItWasOpenIsRepairedAtTheNextStart) {
  store(facts("1.2.3", "1.2.3.1.1"), "first image");
  back_up();
  ASSERT_TRUE(mark_database_damaged(core::system_files(), folder_, "page 7 fails its check").ok());
  open();
  ASSERT_TRUE(held_);
  EXPECT_EQ(report().reason, "page 7 fails its check");
  ASSERT_TRUE(crypto::dismiss_restore_report(core::system_files(), folder_).ok());
  open();
  ASSERT_TRUE(held_);
  EXPECT_FALSE(*crypto::has_restore_report(core::system_files(), folder_)) << "only once";
}

// Most pages are not read by the opening itself: whoever meets the damaged one must not be told
// "failed" for ever.
TEST_F(RecoveryTest, WhicheverPageIsDamagedItOpensAndWhatMakesNoSenseIsRestored) {
  take_in("1.2.3", "1.2.3.1.1", "first image");
  for (int i = 0; i < 40; ++i) {
    pull(core::cat(R"({"resourceType":"Patient","id":"p)", i, R"(","name":[{"family":"Roe"}]})"));
  }
  back_up();
  held_.reset();
  const std::string path = crypto::database_path(folder_);
  const auto whole = folder_ + "/whole";
  std::filesystem::copy_file(path, whole);
  std::filesystem::copy_file(folder_ + "/audit.witness", whole + ".witness");
  const auto pages = std::filesystem::file_size(path) / 4096;
  std::uint64_t restored = 0;
  for (std::uint64_t page = 0; page < pages; page += 3) {
    constexpr auto kOver = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(whole, path, kOver);
    std::filesystem::copy_file(whole + ".witness", folder_ + "/audit.witness", kOver);
    std::filesystem::remove(path + "-wal");
    std::filesystem::remove(path + "-shm");
    (void)crypto::dismiss_restore_report(core::system_files(), folder_);
    ASSERT_FALSE(*crypto::has_restore_report(core::system_files(), folder_));
    {
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(page * 4096 + 100));
      file.write("damaged damaged", 15);
    }
    open();
    ASSERT_TRUE(held_) << "page " << page + 1;
    const bool is_restored = *crypto::has_restore_report(core::system_files(), folder_);
    restored += is_restored ? 1 : 0;
    // What opened with its damage is found by whoever meets it, or by the scrub.
    const auto findings = held_->check_database([](std::uint64_t) { return true; });
    EXPECT_EQ(is_restored, findings.ok() && findings->empty()) << "page " << page + 1;
    held_.reset();
  }
  EXPECT_GT(restored, 0u);
  std::cout << restored << " of " << (pages + 2) / 3 << " pages were met while it opened\n";
}

TEST_F(RecoveryTest, WithoutABackupTheIndexIsRebuiltFromTheObjectsBesideTheDamagedDatabase) {
  const auto medium = backup_folder_;
  backup_folder_.clear();
  take_in("1.2.3", "1.2.3.1.1", "first image");
  for (const std::streamoff at : {0, 3 * 4096 + 100, 20 * 4096 + 100}) {
    held_.reset();
    std::fstream(crypto::database_path(folder_), std::ios::binary | std::ios::in | std::ios::out)
        .seekp(at)
        .write("damaged damaged", 15);
    ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
    open();
    ASSERT_TRUE(held_) << "damaged at " << at;
    EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
    EXPECT_FALSE(*is_rebuild_wanted(core::system_files(), folder_)) << "done";
  }
  backup_folder_ = medium;
}

TEST_F(RecoveryTest, ADatabaseThatIsGoneOrEmptyComesBackToo) {
  take_in("1.2.3", "1.2.3.1.1", "first image");
  back_up();
  take_in("1.2.4", "1.2.4.1.1", "after the backup");
  const std::string database = crypto::database_path(folder_);
  for (const bool is_empty : {false, true}) {
    held_.reset();
    std::filesystem::remove(database);
    if (is_empty) std::ofstream(database).close();
    // What it wrote last is no change to the one that is put back.
    std::ofstream(database + "-wal") << "the lost one's";
    open();
    ASSERT_TRUE(held_) << is_empty;
    EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 2);
    EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE perhaps_sent = 0"), 0);
    EXPECT_NE(report().reason.find("is gone"), std::string::npos) << report().reason;
    EXPECT_EQ(report().aside.empty(), !is_empty);
  }
}

TEST_F(RecoveryTest, ASiteWithoutImagesGetsNoFreshDatabaseForItsLostOne) {
  const std::string database = crypto::database_path(folder_);
  const std::string medium = std::exchange(backup_folder_, "");
  open();
  back_up_to(medium);
  held_.reset();
  std::filesystem::remove(database);
  const auto refused = reopen();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), core::Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(database));
  backup_folder_ = medium;
  open();
  ASSERT_TRUE(held_);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'restore'"), 1);
}

TEST_F(RecoveryTest, ABackupWithARottenPieceTakesNoDatabasesPlace) {
  take_in("1.2.3", "1.2.3.1.1", "first image");
  back_up();
  rot_a_piece();
  const auto given_up = give_up_database(
      {core::system_files(), held_->keyring(), core::system_clock(), folder_, backup_folder_},
      "page 7 fails its check");
  ASSERT_FALSE(given_up.ok());
  EXPECT_EQ(given_up.error().code(), core::Code::corrupt);
  damage();
  const auto refused = reopen();
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("repair rebuild-index"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(crypto::database_path(folder_))) << "it stays where it is";
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  open();
  expect_the_rebuilt_index();
}

TEST_F(RecoveryTest, ARestoreThatCannotBeEndedIsGivenUpForTheObjects) {
  take_in("1.2.3", "1.2.3.1.1", "first image");
  back_up();
  damage();
  stop_after_the_set_aside();
  rot_a_piece();
  const auto refused = reopen();
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("repair rebuild-index"), std::string::npos);
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  // A kill at any of its first steps is gone on with.
  for (std::uint64_t at = 1; at < 12; ++at) {
    fakes::StoppingFiles files(core::system_files(), at);
    (void)reopen(files);
  }
  open();
  expect_the_rebuilt_index();
}

TEST_F(RecoveryTest, StoppedAtAnyStepItIsGoneOnWith) {
  take_in("1.2.3", "1.2.3.1.1", "first image");
  back_up();
  take_in("1.2.3", "1.2.3.1.2", "after the backup");
  std::uint64_t points = 0;
  for (bool stopped = true; stopped;) {
    const std::uint64_t at = ++points;
    damage();
    fakes::StoppingFiles files(core::system_files(), at);
    (void)reopen(files);
    stopped = files.stopped();
    open();
    ASSERT_TRUE(held_) << "stopped at operation " << at;
    ASSERT_EQ(count("SELECT count(*) FROM dicom_instance"), 2) << at;
    ASSERT_EQ(count("SELECT count(*) FROM outbox WHERE perhaps_sent = 0"), 0) << at;
    ASSERT_TRUE(crypto::dismiss_restore_report(core::system_files(), folder_).ok()) << at;
  }
  EXPECT_GT(points, 20u);
  std::cout << "stopped at " << points << " points\n";
}

}  // namespace
}  // namespace gateway::sync
