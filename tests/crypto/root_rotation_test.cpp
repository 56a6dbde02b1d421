// The root key changes under every kill and every failing write: whatever opened a slot opens it
// still, everything opens, the rotation is gone on with, and at its end the old root opens nothing.
#include "crypto/root_rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "core/text.h"
#include "crypto/audit_past.h"
#include "crypto/backup_folder.h"
#include "crypto/backup_restore.h"
#include "crypto/database_key.h"
#include "crypto/migrations.h"
#include "crypto/objects.h"
#include "crypto/octets.h"
#include "tests/crypto/backup_feed.h"
#include "tests/crypto/keys.h"
#include "tests/fakes/fault_vfs.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;
using fakes::Unsynced;
using testing::HasSubstr;

constexpr char kState[] = "/state";
constexpr core::Milliseconds kPatience{2000};

RecoveryCode copy_of(const RecoveryCode& code) { return {code.bits.clone()}; }

/// A keyring folder with a recovery slot only: opening it takes no Argon2id.
class Rings {
 public:
  Rings() {
    FaultFiles files;
    auto keyring = Keyring::create(files, kState, passphrase("correct horse"), clock_);
    const auto first = keyring.value()->slots().at(0).id;
    EXPECT_TRUE((*keyring)->add_slot({copy_of(code_), ""}).ok());
    EXPECT_TRUE((*keyring)->prove(copy_of(code_)).ok());
    EXPECT_TRUE((*keyring)->remove_slot(first).ok());
    EXPECT_TRUE((*keyring)->current_epoch().ok());
    disk_ = files.image();
  }
  const fakes::DiskImage& disk() const { return disk_; }
  const RecoveryCode& code() const { return code_; }
  const core::Clock& clock() const { return clock_; }

 private:
  HandClock clock_;
  RecoveryCode code_ = RecoveryCode::random();
  fakes::DiskImage disk_;
};

const Rings& rings() {
  static const Rings made;
  return made;
}

/// A box on a disk that can fail, as sync's holdings open it.
class Box {
 public:
  explicit Box(const fakes::DiskImage& disk) : files_(disk), vfs_(files_) {}
  ~Box() { stop(); }

  core::Status start() {
    GW_TRY(keyring_, Keyring::open(files_, kState, copy_of(rings().code()), rings().clock()));
    GW_TRY(objects_, ObjectStore::open(files_, "/state/objects", *keyring_, 0));
    GW_TRY(auto audit, Audit::create(*keyring_));
    audit_ = std::make_unique<Audit>(std::move(audit));
    GW_TRY(database_, open_database(files_, *keyring_, kState, migrations()));
    GW_TRY(auto signer, AuditSigner::create(*keyring_, keyring_->root().number));
    witness_ = std::make_unique<AuditWitness>(files_, kState, std::move(signer), *database_,
                                              rings().clock());
    return {};
  }
  void stop() {
    witness_.reset();
    database_.reset();
    objects_.reset();
    audit_.reset();
    keyring_.reset();
  }

  core::Result<RootRotation> rotate() {
    return rotate_root({files_, kState, *keyring_, *database_, *audit_, *witness_});
  }
  core::Status note(const std::string& action) {
    auto outcome = database_->write([&](Connection& connection) {
      return audit_->append(connection, {{}, "test", action, "thing", "", "local", "success"});
    });
    GW_CHECK(outcome);
    ++noted_;
    return {};
  }
  core::Status store(const std::string& content) {
    GW_TRY(auto writer, objects_->create());
    GW_CHECK(writer->append(as_octets(content)));
    GW_TRY(const SealedObject object, writer->finish());
    GW_CHECK(objects_->settle(object.id));
    GW_CHECK(files_.sync_folder(core::cat("/state/objects/", object.id.substr(34))));
    held_.emplace(object.id, content);
    return {};
  }

  /// Empty when all that was stored and noted is there.
  std::string fault() {
    for (const auto& [id, content] : held_) {
      auto reader = objects_->open_object(id);
      if (!reader.ok()) return reader.error().message();
      std::string read(content.size(), '\0');
      auto got = (*reader)->read(0, std::as_writable_bytes(std::span(read)));
      if (!got.ok() || read != content) return core::cat("another object than was stored: ", id);
    }
    const auto report = database_->read_value<AuditReport>(
        [&](Connection& connection) { return audit_->verify(connection); });
    if (!report.ok()) return report.error().message();
    if (report->broken_at) return core::cat("audit broken at ", *report->broken_at);
    if (report->rows != noted_) return core::cat(report->rows, " audit rows of ", noted_);
    return "";
  }

  FaultFiles& files() { return files_; }
  Keyring& keyring() { return *keyring_; }
  Database& database() { return *database_; }
  ObjectStore& objects() { return *objects_; }
  AuditWitness& witness() { return *witness_; }
  void remember(const Box& other) {
    held_ = other.held_;
    noted_ = other.noted_;
  }

 private:
  FaultFiles files_;
  fakes::FaultVfs vfs_;
  std::unique_ptr<Keyring> keyring_;
  std::unique_ptr<ObjectStore> objects_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<AuditWitness> witness_;
  std::map<std::string, std::string> held_;
  std::uint64_t noted_ = 0;
};

void fill(Box& box) {
  auto started = box.start();
  ASSERT_TRUE(started.ok()) << started.error().message();
  for (const char* content : {"one", "two"}) ASSERT_TRUE(box.store(content).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(box.note("before").ok());
}

TEST(RootRotation, MovesEverythingAndForgetsTheOldRoot) {
  Box box(rings().disk());
  fill(box);
  const std::string former = box.files().content("/state/keyring.json");
  const std::string former_key = box.witness().public_key();
  const auto rotation = box.rotate();
  ASSERT_TRUE(rotation.ok()) << rotation.error().message();
  EXPECT_EQ(rotation->root, 2U);
  EXPECT_EQ(rotation->generation, 2U);
  EXPECT_FALSE(box.keyring().root().is_moving);
  EXPECT_NE(box.witness().public_key(), former_key);
  EXPECT_EQ(box.keyring().derived_key_of(1, "database").error().code(), core::Code::refused);
  ASSERT_TRUE(box.note("after").ok());
  ASSERT_TRUE(box.store("after").ok());
  EXPECT_EQ(box.fault(), "");
  box.stop();
  auto again = box.start();
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(box.fault(), "");
  ASSERT_TRUE(box.rotate().ok());
  ASSERT_TRUE(box.note("under the third").ok());
  EXPECT_EQ(box.keyring().root().number, 3U);
  EXPECT_EQ(box.fault(), "");
  box.stop();

  // Who kept the old slots and what opens them has the old root: it opens neither database nor
  // epoch, and it is told what is wrong.
  box.files().set_content("/state/keyring.json", former);
  auto old = box.start();
  ASSERT_FALSE(old.ok());
  EXPECT_THAT(old.error().message(), HasSubstr("older copy"));
  EXPECT_NE(old.error().code(), core::Code::corrupt);  // that would be taken for damage
  auto ring = Keyring::open(box.files(), kState, copy_of(rings().code()), rings().clock());
  ASSERT_TRUE(ring.ok());
  EXPECT_EQ((*ring)->epoch_key(202603).error().code(), core::Code::corrupt);
}

TEST(RootRotation, TheKeyThatSignedBeforeIsRememberedForTheRowsOfItsTime) {
  Box box(rings().disk());
  ASSERT_TRUE(box.start().ok());
  ASSERT_TRUE(box.note("before").ok());
  const auto before = box.witness().take();
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(box.rotate().ok());
  ASSERT_TRUE(box.note("after").ok());
  const auto former = box.database().read_value<std::vector<FormerSigner>>(former_signers);
  ASSERT_TRUE(former.ok()) << former.error().message();
  ASSERT_EQ(former->size(), 1u);
  EXPECT_EQ((*former)[0].public_key, before->public_key);
  EXPECT_EQ((*former)[0].last_sequence, before->head.sequence);
}

TEST(RootRotation, ASlotAddedMeanwhileHoldsTheNewRoot) {
  Box box(rings().disk());
  fill(box);
  ASSERT_TRUE(box.keyring().begin_root({}).ok());
  const RecoveryCode code = RecoveryCode::random();
  ASSERT_TRUE(box.keyring().add_slot({copy_of(code), "added"}).ok());
  ASSERT_TRUE(box.rotate().ok());
  EXPECT_EQ(box.keyring().root().number, 2U) << "it went on, and began no other";
  box.stop();
  auto opened = Keyring::open(box.files(), kState, copy_of(code), rings().clock());
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ((*opened)->root().number, 2U);
  ASSERT_TRUE(box.start().ok());
  EXPECT_EQ(box.fault(), "");
}

TEST(RootRotation, ALostEpochKeyStopsItBeforeItsCopyBecomesWorthless) {
  Box box(rings().disk());
  ASSERT_TRUE(box.start().ok());
  ASSERT_TRUE(box.store("sealed under the lost epoch").ok());
  const std::uint32_t epoch = box.keyring().epochs()->front();
  const std::string path = core::cat("/state/epochs/", epoch, ".key");
  const auto copy = core::read_whole_file(box.files(), path, 4096);
  ASSERT_TRUE(copy.ok()) << copy.error().message();
  box.stop();
  ASSERT_TRUE(box.files().remove(path).ok());
  ASSERT_TRUE(box.start().ok());

  const auto refused = box.rotate();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), core::Code::refused);
  EXPECT_THAT(refused.error().message(), HasSubstr(core::cat(epoch, ".key")));
  EXPECT_FALSE(box.keyring().root().is_moving);

  box.stop();
  ASSERT_TRUE(core::write_file_durably(box.files(), path, *copy).ok());
  ASSERT_TRUE(box.start().ok());
  EXPECT_TRUE(box.rotate().ok());
  EXPECT_EQ(box.fault(), "");
}

TEST(RootRotation, ALostEpochKeyCanBeGivenUpAndNoOther) {
  Box box(rings().disk());
  ASSERT_TRUE(box.start().ok());
  const std::uint32_t epoch = box.keyring().epochs()->front();
  box.stop();
  ASSERT_TRUE(box.files().remove(core::cat("/state/epochs/", epoch, ".key")).ok());
  ASSERT_TRUE(box.start().ok());
  EXPECT_EQ(box.keyring().begin_root({epoch + 1}).error().code(), core::Code::invalid);
  EXPECT_EQ(box.keyring().lost_epochs(), std::vector<std::uint32_t>{epoch});
  ASSERT_TRUE(box.keyring().begin_root({epoch}).ok());
  EXPECT_TRUE(box.rotate().ok());
  EXPECT_TRUE(box.keyring().lost_epochs().empty());
  EXPECT_EQ(box.fault(), "");
}

TEST(RootRotation, AnEpochKeyInMemoryOutlivesItsFile) {
  Box box(rings().disk());
  ASSERT_TRUE(box.start().ok());
  ASSERT_TRUE(box.store("sealed before the file went").ok());
  const std::uint32_t epoch = box.keyring().epochs()->front();
  ASSERT_TRUE(box.files().remove(core::cat("/state/epochs/", epoch, ".key")).ok());
  ASSERT_TRUE(box.rotate().ok());
  box.stop();
  ASSERT_TRUE(box.start().ok());
  EXPECT_EQ(box.fault(), "");
}

TEST(RootRotation, AnAuditRowOfAnotherEraThatWasChangedShows) {
  Box box(rings().disk());
  fill(box);
  ASSERT_TRUE(box.rotate().ok());
  ASSERT_TRUE(box.note("after").ok());
  ASSERT_TRUE(box.database()
                  .write([](Connection& connection) -> core::Status {
                    GW_CHECK(connection.run("DROP TRIGGER audit_is_never_edited"));
                    return connection.run("UPDATE audit SET actor = 'nobody' WHERE seq = 2");
                  })
                  .ok());
  EXPECT_EQ(box.fault(), "audit broken at 2");
}

TEST(RootRotation, ABackupMadeUnderTheOldRootRestoresAWholeBoxOnly) {
  Box box(rings().disk());
  fill(box);
  const auto none = [](Connection&, const auto&) { return core::Status(); };
  const auto back_up = [&] {
    return BackupSource::begin({box.files(), kState, 0, box.keyring(), box.database(),
                                box.objects(), none, "2026-03-01T08:00:00.000Z"});
  };
  const auto write = [&](BackupSource& source) -> core::Status {
    GW_CHECK(BackupFolder(box.files(), "/medium").run(feed_of(source)));
    return {};
  };
  auto before = back_up();
  ASSERT_TRUE(before.ok()) << before.error().message();
  auto written = write(**before);
  ASSERT_TRUE(written.ok()) << written.error().message();
  before->reset();

  ASSERT_TRUE(box.keyring().begin_root({}).ok());
  EXPECT_EQ(back_up().error().code(), core::Code::busy);
  EXPECT_TRUE(check_backup(box.files(), "/medium", box.keyring()).ok()) << "both roots are here";
  ASSERT_TRUE(box.rotate().ok());
  const auto alone = check_backup(box.files(), "/medium", box.keyring());
  ASSERT_FALSE(alone.ok());
  EXPECT_THAT(alone.error().message(), HasSubstr("onto an empty box"));

  const KeyringOpener open = [&](const std::string& folder) {
    return Keyring::open(box.files(), folder, copy_of(rings().code()), rings().clock());
  };
  const auto nothing = [] { return core::Status(); };
  const auto restored =
      restore_gateway(box.files(), "/medium", "/bare", open, "", {nothing, nothing});
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  auto ring = open("/bare");
  ASSERT_TRUE(ring.ok()) << ring.error().message();
  auto opened = open_database(box.files(), **ring, "/bare", migrations());
  EXPECT_TRUE(opened.ok()) << opened.error().message();

  // The folder goes on being this gateway's.
  auto after = back_up();
  ASSERT_TRUE(after.ok()) << after.error().message();
  written = write(**after);
  EXPECT_TRUE(written.ok()) << written.error().message();
  EXPECT_TRUE(check_backup(box.files(), "/medium", box.keyring()).ok());
}

TEST(RootRotation, PowerCutAtEveryOperationLosesNothingAndIsGoneOnWith) {
  std::uint64_t points = 0;
  for (Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
    for (std::uint64_t at = 1;; ++at) {
      Box box(rings().disk());
      fill(box);
      box.files().crash_at_operation(at);
      const auto rotated = box.rotate();
      const bool crashed = box.files().crashed();
      ASSERT_TRUE(rotated.ok() || crashed) << rotated.error().message();
      box.stop();
      Box next(box.files().after_power_cut(unsynced));
      next.remember(box);
      SCOPED_TRACE(testing::Message() << "crash at operation " << at << ", unsynced bytes "
                                      << static_cast<int>(unsynced));
      auto started = next.start();
      ASSERT_TRUE(started.ok()) << started.error().message();
      ASSERT_EQ(next.fault(), "");
      ASSERT_TRUE(next.note("after the crash").ok());
      if (next.keyring().root().is_moving) {
        const auto finished = next.rotate();
        ASSERT_TRUE(finished.ok()) << finished.error().message();
        ASSERT_EQ(finished->root, 2U);
        ASSERT_FALSE(next.keyring().root().is_moving);
      }
      ASSERT_EQ(next.fault(), "");
      if (!crashed) break;
      ++points;
    }
  }
  std::cout << "crashed at " << points << " points\n";
  EXPECT_GE(points, 100U);
}

TEST(RootRotation, AFailingWriteAnywhereIsGoneOnWith) {
  std::uint64_t points = 0;
  for (core::Code code : {core::Code::io, core::Code::no_space}) {
    for (std::uint64_t at = 1;; ++at) {
      Box box(rings().disk());
      fill(box);
      box.files().fail_operation(at, code);
      const auto rotated = box.rotate();
      if (!box.files().failed()) break;
      ++points;
      SCOPED_TRACE(testing::Message() << "failure at operation " << at);
      if (!rotated.ok()) {
        ASSERT_TRUE(rotated.error().code() == core::Code::io ||
                    rotated.error().code() == core::Code::no_space ||
                    rotated.error().code() == core::Code::corrupt)
            << rotated.error().message();
        auto again = box.rotate();
        if (!again.ok()) {
          // Between the two files: the database says so itself.
          ASSERT_THAT(again.error().message(), HasSubstr("restart the service"));
          box.stop();
          ASSERT_TRUE(box.start().ok());
          again = box.rotate();
        }
        ASSERT_TRUE(again.ok()) << again.error().message();
      }
      ASSERT_FALSE(box.keyring().root().is_moving);
      ASSERT_EQ(box.fault(), "");
      box.stop();
      auto started = box.start();
      ASSERT_TRUE(started.ok()) << started.error().message();
      ASSERT_EQ(box.fault(), "");
    }
  }
  std::cout << "failed at " << points << " operations\n";
}

}  // namespace
}  // namespace gateway::crypto
