// A backup taken from a living gateway, written to a medium that fails at every step, and restored
// onto a bare box that is killed at every step.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/backup_restore.h"
#include "crypto/database_key.h"
#include "crypto/epoch_rotation.h"
#include "crypto/key_slots.h"
#include "crypto/octets.h"
#include "tests/crypto/backup_feed.h"
#include "tests/crypto/fixed_keys.h"
#include "tests/crypto/keys.h"
#include "tests/crypto/scratch_folder.h"
#include "tests/fakes/fault_files.h"
#include "tests/fakes/stopping_files.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;
using fakes::StoppingFiles;
using fakes::Unsynced;

constexpr std::array<Migration, 1> kSchema = {
    Migration{"core", 1, "held", "CREATE TABLE held (id TEXT PRIMARY KEY, content TEXT);"}};

/// What stands in a keyring file; the keys of these tests come from elsewhere.
std::string some_keyring() {
  static const Secret root = Secret::random(kKeyBytes);
  static const auto slot = make_slot(root, {RecoveryCode::random(), ""}, {}, "");
  return write_keyring_text({*slot}, root).value();
}

class Box {
 public:
  explicit Box(std::string folder) : folder_(std::move(folder)) {}

  void start() {
    auto keys = FixedKeys::open(core::system_files(), folder_, clock_);
    ASSERT_TRUE(keys.ok()) << keys.error().message();
    keys_ = std::move(*keys);
    auto database = open_database(core::system_files(), *keys_, folder_, kSchema);
    ASSERT_TRUE(database.ok()) << database.error().message();
    database_ = std::move(*database);
    auto objects = ObjectStore::open(core::system_files(), folder_ + "/objects", *keys_, 0);
    ASSERT_TRUE(objects.ok()) << objects.error().message();
    objects_ = std::move(*objects);
    if (!std::filesystem::exists(folder_ + "/keyring.json")) {
      ASSERT_TRUE(
          core::write_file_durably(core::system_files(), folder_ + "/keyring.json", some_keyring())
              .ok());
    }
  }

  std::string store(const std::string& content) {
    auto writer = objects_->create();
    EXPECT_TRUE((*writer)->append(as_octets(content)).ok());
    auto object = (*writer)->finish();
    EXPECT_TRUE(object.ok());
    EXPECT_TRUE(database_
                    ->write([&](Connection& connection) {
                      return connection.run("INSERT INTO held VALUES (?, ?)", object->id, content);
                    })
                    .ok());
    EXPECT_TRUE(objects_->settle(object->id).ok());
    return object->id;
  }

  void remove(const std::string& id) {
    EXPECT_TRUE(objects_->shred(id).ok());
    EXPECT_TRUE(database_
                    ->write([&](Connection& connection) {
                      return connection.run("DELETE FROM held WHERE id = ?", id);
                    })
                    .ok());
  }

  std::unique_ptr<BackupSource> begin() {
    auto source = BackupSource::begin(
        {core::system_files(), folder_, 0, *keys_, *database_, *objects_,
         [](Connection& connection,
            const std::function<core::Status(std::string_view)>& visit) -> core::Status {
           GW_TRY(Rows rows, connection.query("SELECT id FROM held"));
           while (true) {
             GW_TRY(const bool row, rows.next());
             if (!row) return {};
             GW_CHECK(visit(rows.text(0)));
           }
         },
         "2026-03-15T12:00:00.000Z"});
    EXPECT_TRUE(source.ok()) << source.error().message();
    return source.ok() ? std::move(*source) : nullptr;
  }

  /// Everything the database names, opened and compared.
  std::map<std::string, std::string> held() {
    std::map<std::string, std::string> found;
    auto read = database_->read([&](Connection& connection) -> core::Status {
      GW_TRY(Rows rows, connection.query("SELECT id, content FROM held"));
      while (true) {
        GW_TRY(const bool row, rows.next());
        if (!row) return {};
        found.emplace(rows.text(0), rows.text(1));
      }
    });
    EXPECT_TRUE(read.ok());
    for (const auto& [id, content] : found) {
      auto reader = objects_->open_object(id);
      EXPECT_TRUE(reader.ok()) << reader.error().message();
      if (!reader.ok()) continue;
      std::string bytes(content.size() + 1, '\0');
      auto got = (*reader)->read(0, {reinterpret_cast<std::byte*>(bytes.data()), bytes.size()});
      EXPECT_TRUE(got.ok());
      bytes.resize(got.ok() ? *got : 0);
      EXPECT_EQ(bytes, content);
    }
    return found;
  }

  void stop() {
    objects_.reset();
    database_.reset();
    keys_.reset();
  }
  Keyring& keys() { return *keys_; }
  ObjectStore& objects() { return *objects_; }
  Database& database() { return *database_; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  HandClock clock_;
  std::unique_ptr<Keyring> keys_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<ObjectStore> objects_;
};

core::Result<BackupOutcome> back_up(Box& box, core::Files& files, const std::string& folder) {
  auto source = box.begin();
  if (!source) return core::Error(core::Code::internal, "no source");
  const BackupFeed feed = feed_of(*source);
  return BackupFolder(files, folder).run(feed);
}

KeyringOpener fixed_opener() {
  return [](const std::string& folder) {
    static HandClock clock;
    return FixedKeys::open(core::system_files(), folder, clock);
  };
}

core::Result<RestoreReport> restore(core::Files& files, const std::string& from,
                                    const std::string& to) {
  return restore_gateway(files, from, to, fixed_opener(), "2026-04-01T00:00:00.000Z",
                         [] { return core::Status(); });
}

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    box_.start();
    box_.store("small");
    box_.store(std::string(300'000, 'p'));
    box_.store("");
  }
  ScratchFolder scratch_;
  Box box_{scratch_ / "box"};
  std::string medium_ = scratch_ / "medium";
};

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
    auto file = core::system_files().open_write(medium_ + "/" + body_path(victim));
    ASSERT_TRUE((*file)->write_at(3, as_octets(std::string_view("X"))).ok());
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

}  // namespace
}  // namespace gateway::crypto
