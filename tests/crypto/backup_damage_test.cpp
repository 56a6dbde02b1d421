// Damage on either side of a backup: what is good on one side survives, and what is not is named.
#include <fstream>

#include "tests/crypto/backup_box.h"
#include "tests/fakes/bad_sectors.h"

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
