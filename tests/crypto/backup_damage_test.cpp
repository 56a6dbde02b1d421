// Damage on either side of a backup: what is good on one side survives, and what is not is named.
#include <fstream>
#include <set>

#include "crypto/digest.h"
#include "tests/crypto/backup_box.h"
#include "tests/fakes/bad_sectors.h"
#include "tests/fakes/fault_files.h"

namespace gateway::crypto {
namespace {

class BackupDamage : public testing::Test {
 protected:
  void SetUp() override {
    box_.start();
    ids_ = {box_.store("first"), box_.store(std::string(300'000, 'p')), box_.store("third")};
  }

  BackupOutcome back_up_well() {
    auto outcome = back_up(box_, core::system_files(), medium_);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    return outcome.ok() ? *outcome : BackupOutcome();
  }
  std::vector<std::string> bad() {
    auto verdict = BackupFolder(core::system_files(), medium_).verify();
    EXPECT_TRUE(verdict.ok()) << verdict.error().message();
    return verdict.ok() ? verdict->bad : std::vector<std::string>();
  }
  static void flip(const std::string& path, std::streamoff at) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(at);
    const int byte = file.get();
    ASSERT_NE(byte, EOF) << path;
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 1));
  }
  std::string live(const std::string& id) const { return box_.folder() + "/" + body_path(id); }
  std::string kept(const std::string& id) const { return medium_ + "/" + body_path(id); }
  std::string sums() const {
    return core::cat(medium_, "/", run_path(*current_backup_run(core::system_files(), medium_)),
                     "/SHA256SUMS");
  }
  /// All that was stored comes back from the medium.
  void expect_whole() {
    box_.stop();
    auto report = restore(core::system_files(), medium_, scratch_ / "bare");
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_EQ(report->missing_count, 0u);
    Box bare(scratch_ / "bare");
    bare.start();
    EXPECT_EQ(bare.held().size(), ids_.size());
  }
  std::string a_piece() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(medium_ + "/database")) {
      if (entry.is_regular_file()) return entry.path().string();
    }
    return "";
  }
  std::string epoch_file() const {
    for (const auto& entry : std::filesystem::directory_iterator(box_.folder() + "/epochs")) {
      return entry.path().string();
    }
    return "";
  }

  ScratchFolder scratch_;
  fakes::BadSectors drive_{core::system_files()};
  Box box_{scratch_ / "box", drive_};
  std::vector<std::string> ids_;
  const std::string medium_ = scratch_ / "medium";
};

TEST_F(BackupDamage, TheStateFolderIsNoPlaceForABackup) {
  for (const char* below : {"", "/objects"}) {
    auto outcome = back_up(box_, core::system_files(), box_.folder() + below);
    ASSERT_FALSE(outcome.ok()) << below;
    EXPECT_EQ(outcome.error().code(), core::Code::refused);
  }
  EXPECT_EQ(box_.held().size(), ids_.size());
}

TEST_F(BackupDamage, AFolderWithThingsOfTheSameNamesIsLeftAlone) {
  std::filesystem::create_directories(medium_ + "/objects/3f");
  std::ofstream(medium_ + "/objects/3f/somebody's") << "file";
  auto outcome = back_up(box_, core::system_files(), medium_);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), core::Code::refused);
  EXPECT_TRUE(std::filesystem::exists(medium_ + "/objects/3f/somebody's"));
}

TEST_F(BackupDamage, WhatVerifyFoundTheNextRunWritesAnew) {
  back_up_well();
  flip(kept(ids_[1]), 1000);
  EXPECT_EQ(bad().size(), 1u);
  EXPECT_EQ(back_up_well().healed, 1u);
  EXPECT_TRUE(bad().empty());
  EXPECT_EQ(back_up_well().healed, 0u);
  expect_whole();
}

TEST_F(BackupDamage, RunsReadEverythingAgainInTurns) {
  back_up_well();
  flip(kept(ids_[1]), 1000);
  std::uint64_t healed = 0;
  for (int run = 0; run < 31 && healed == 0; ++run) healed += back_up_well().healed;
  EXPECT_EQ(healed, 1u);
  expect_whole();
}

TEST_F(BackupDamage, WhatLiesThereIsNoTruthOnceTheSumsAreLost) {
  back_up_well();
  flip(kept(ids_[0]), 3);
  // At the end of a line: nothing but the list's own end tells.
  std::string text = *core::read_whole_file(core::system_files(), sums(), 1U << 20);
  const auto cut = text.find(body_path(ids_[0])) - 66;
  std::filesystem::resize_file(sums(), cut);
  EXPECT_FALSE(BackupFolder(core::system_files(), medium_).verify().ok());
  EXPECT_EQ(back_up_well().healed, 1u);
  EXPECT_TRUE(bad().empty());
  expect_whole();
}

TEST_F(BackupDamage, ADamagedObjectIsNamedAndTheGoodCopyStays) {
  back_up_well();
  std::filesystem::resize_file(live(ids_[1]), 200'000);
  const auto outcome = back_up_well();
  EXPECT_EQ(outcome.damaged, std::vector<std::string>{ids_[1]});
  EXPECT_TRUE(bad().empty());
  expect_whole();
}

TEST_F(BackupDamage, ADamagedObjectDoesNotHealACopy) {
  back_up_well();
  flip(kept(ids_[0]), 2);
  EXPECT_EQ(bad().size(), 1u);
  flip(live(ids_[0]), static_cast<std::streamoff>(kObjectHeaderBytes) + 3);
  const auto outcome = back_up_well();
  EXPECT_EQ(outcome.damaged, std::vector<std::string>{ids_[0]});
  EXPECT_EQ(bad().size(), 1u) << "what is damaged on both sides is not called good";
}

TEST_F(BackupDamage, AnObjectDamagedBeforeItsFirstBackupIsNamed) {
  flip(live(ids_[2]), static_cast<std::streamoff>(kObjectHeaderBytes));
  flip(live(ids_[0]), 60);  // its wrapped key
  for (int run = 0; run < 2; ++run) EXPECT_EQ(back_up_well().damaged.size(), run == 0 ? 2u : 1u);
  EXPECT_FALSE(std::filesystem::exists(kept(ids_[0]))) << "nothing opens it";
}

TEST_F(BackupDamage, TheOnlyGoodHeaderIsNotThrownAway) {
  back_up_well();
  const std::string run = *current_backup_run(core::system_files(), medium_);
  flip(live(ids_[1]), 60);
  auto outcome = back_up(box_, core::system_files(), medium_);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), core::Code::refused);
  EXPECT_EQ(*current_backup_run(core::system_files(), medium_), run);
  expect_whole();
}

TEST_F(BackupDamage, AnEpochKeyThatChangedOnTheDiskIsNotBackedUp) {
  back_up_well();
  flip(epoch_file(), 20);
  auto source = box_.source();
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code(), core::Code::refused);
  EXPECT_NE(source.error().message().find(".key"), std::string::npos);
  expect_whole();
}

TEST_F(BackupDamage, AnObjectOnADeadSectorIsNamedAndTheOthersAreBackedUp) {
  drive_.spoil(ids_[0], 0);        // its header
  drive_.spoil(ids_[1], 200'000);  // one of its chunks
  drive_.spoil(ids_[2], 0, 1);     // hard to read, once
  const auto outcome = back_up_well();
  EXPECT_EQ(std::set(outcome.damaged.begin(), outcome.damaged.end()), std::set({ids_[0], ids_[1]}));
  EXPECT_TRUE(bad().empty());
  EXPECT_FALSE(std::filesystem::exists(kept(ids_[1]))) << "no half of it";
  drive_.mend();
  EXPECT_TRUE(back_up_well().damaged.empty());
  expect_whole();
}

TEST_F(BackupDamage, AnObjectThatCanNoLongerBeReadKeepsItsGoodCopy) {
  back_up_well();
  ids_.push_back(box_.store("fourth"));
  std::filesystem::remove(sums());  // so that all are read again
  drive_.spoil(ids_[1], 200'000);
  EXPECT_EQ(back_up_well().damaged, std::vector<std::string>{ids_[1]});
  drive_.mend();
  expect_whole();
}

TEST_F(BackupDamage, ADeadSectorOfTheMediumCostsOneObject) {
  back_up_well();
  box_.stop();
  fakes::BadSectors medium(core::system_files());
  medium.spoil("medium/" + body_path(ids_[1]), 200'000);
  medium.spoil("medium/" + body_path(ids_[2]), 0, 1);
  const auto report = restore(medium, medium_, scratch_ / "bare");
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->missing_objects, std::vector<std::string>{ids_[1]});
  EXPECT_EQ(report->objects, 2u);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "bare/" + body_path(ids_[1]))) << "no half of it";
}

TEST_F(BackupDamage, WithoutItsDatabaseTheObjectsComeBackToBeIndexedAnew) {
  back_up_well();
  box_.stop();
  flip(a_piece(), 1000);
  const std::string bare = scratch_ / "bare";
  const auto report = restore(core::system_files(), medium_, bare);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_NE(report->database_lost, "");
  EXPECT_FALSE(report->resync) << "there are no queues to be told";
  EXPECT_EQ(report->objects, 3u);
  EXPECT_EQ(report->missing_count, 0u);
  EXPECT_TRUE(std::filesystem::exists(bare + "/rebuild-index"));
  EXPECT_TRUE(std::filesystem::exists(bare + "/keyring.json"));
  EXPECT_FALSE(std::filesystem::exists(database_path(bare)));
  EXPECT_FALSE(std::filesystem::exists(database_path(bare) + ".restoring"));
  EXPECT_NE(describe(*read_restore_report(core::system_files(), bare)).find("but for its database"),
            std::string::npos);
}

TEST_F(BackupDamage, ABackupOfWhichNothingIsLeftRestoresNothing) {
  back_up_well();
  box_.stop();
  flip(a_piece(), 1000);
  for (const std::string& id : ids_) std::filesystem::remove(kept(id));
  const std::string bare = scratch_ / "bare";
  EXPECT_FALSE(restore(core::system_files(), medium_, bare).ok());
  EXPECT_FALSE(std::filesystem::exists(bare + "/keyring.json")) << "another backup may follow";
}

TEST_F(BackupDamage, WithoutAnyHeadersTheDatabaseComesBackAndTheLossIsCounted) {
  back_up_well();
  box_.stop();
  flip(core::cat(medium_, "/", run_path(*current_backup_run(core::system_files(), medium_)),
                 "/headers"),
       0);
  const auto report = restore(core::system_files(), medium_, scratch_ / "bare");
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->objects, 0u);
  EXPECT_EQ(report->missing_count, 3u);
  EXPECT_EQ(report->database_lost, "");
  EXPECT_TRUE(std::filesystem::exists(database_path(scratch_ / "bare")));
}

/// Records do not end where the list's chunks do.
TEST(BackupHeaders, ADamagedChunkOfTheListCostsTheObjectsNamedInItAndNoOthers) {
  constexpr std::uint64_t kObjects = 4000;
  constexpr std::uint64_t kChunk = 256U << 10;
  constexpr std::uint64_t kFirstLost = kChunk / kBackupHeaderBytes;
  constexpr std::uint64_t kLastLost = (2 * kChunk - 1) / kBackupHeaderBytes;
  fakes::FaultFiles files;
  HandClock clock;
  const auto opener = [&](const std::string& folder) {
    return FixedKeys::open(files, folder, clock);
  };
  auto keys = opener("/box");
  ASSERT_TRUE(keys.ok());
  auto store = ObjectStore::open(files, "/box/objects", **keys, 0);
  ASSERT_TRUE(store.ok());
  const Secret key = backup_key(**keys, 1).value();
  std::map<std::string, std::string> parts;
  const auto into = [](std::string& text) {
    return [&text](std::span<const std::byte> bytes) {
      text += as_text(bytes);
      return core::Status();
    };
  };
  BackupFeed feed;
  auto headers = BackupSealer::create(key, std::string(kHeadersLabel), into(parts["headers"]));
  ASSERT_TRUE(headers.ok());
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    const auto object = (*(*store)->create())->finish();
    ASSERT_TRUE(object.ok());
    const auto sealed = (*store)->open_sealed(object->id);
    std::array<std::byte, kBackupHeaderBytes> record{};
    ASSERT_TRUE((*sealed)->read_at(0, std::span(record).first(kObjectHeaderBytes)).ok());
    const std::uint64_t body = *(*sealed)->size() - kObjectHeaderBytes;
    put_little_endian(std::span(record).last<8>(), body);
    ASSERT_TRUE(headers->append(record).ok());
    feed.bodies.push_back({object->id, body, true, ""});
  }
  ASSERT_TRUE(headers->finish().ok());
  const std::string database = "stands for a database";
  const std::string piece = core::to_hex(as_text(sha256(as_octets(database))));
  auto manifest = BackupSealer::create(key, std::string(kManifestLabel), into(parts["manifest"]));
  ASSERT_TRUE(manifest
                  ->append(as_octets(
                      write_manifest_text({"box", "", 1, database.size(), {piece}, kObjects})))
                  .ok());
  ASSERT_TRUE(manifest->finish().ok());
  parts["keyring.json"] = some_keyring();
  const auto epochs = files.list("/box/epochs");
  for (const std::string& name : *epochs) {
    if (name.ends_with(".key")) parts["epochs/" + name] = files.content("/box/epochs/" + name);
  }
  feed.run = "run";
  feed.box = "box";
  feed.pieces = {piece};
  for (const auto& [name, text] : parts) feed.key_part.emplace_back(name, text.size());
  feed.piece = [&](std::size_t) -> core::Result<std::string> {
    std::string sealed;
    GW_TRY(auto sealer, BackupSealer::create(key, piece_label(piece), into(sealed)));
    GW_CHECK(sealer.append(as_octets(database)));
    GW_CHECK(sealer.finish());
    return sealed;
  };
  feed.body = [&](const std::string& id, std::uint64_t offset) -> core::Result<std::string> {
    const std::string whole = files.content("/box/objects/incoming/" + id);
    return whole.substr(std::min<std::uint64_t>(kObjectHeaderBytes + offset, whole.size()));
  };
  feed.check = [](const std::string&) { return core::Status(); };
  feed.key_file = [&](const std::string& name, std::uint64_t offset) -> core::Result<std::string> {
    return parts[name].substr(std::min<std::uint64_t>(offset, parts[name].size()));
  };
  const auto written = BackupFolder(files, "/medium").run(feed);
  ASSERT_TRUE(written.ok()) << written.error().message();
  std::string& damaged = parts["headers"];
  char& hit = damaged[24 + kChunk + kTagBytes + 100];  // in the second of three chunks
  hit = static_cast<char>(hit ^ 1);
  files.set_content("/medium/runs/run/headers", damaged);

  const auto nothing = [] { return core::Status(); };
  const auto report = restore_gateway(files, "/medium", "/bare", opener, "", {nothing, nothing});
  ASSERT_TRUE(report.ok()) << report.error().message();
  const std::uint64_t lost = kLastLost - kFirstLost + 1;
  EXPECT_EQ(report->objects, kObjects - lost);
  EXPECT_EQ(report->missing_count, lost);
  EXPECT_EQ(report->missing_objects,
            std::vector{core::cat(lost, " objects whose headers are lost")});
}

/// Lost and made anew: of the same name, and it opens nothing from before.
TEST_F(BackupDamage, AnotherKeyOfTheSameEpochDoesNotTakeTheOldOnesPlace) {
  back_up_well();
  box_.stop();
  std::filesystem::remove(epoch_file());
  box_.start();
  box_.store("under the new key");
  auto outcome = back_up(box_, core::system_files(), medium_);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), core::Code::refused);
  EXPECT_NE(outcome.error().message().find("epoch"), std::string::npos);
  expect_whole();
}

}  // namespace
}  // namespace gateway::crypto
