// Where a backup may not lie.
#include "crypto/backup_place.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/crypto/scratch_folder.h"

namespace gateway::crypto {
namespace {

class BackupPlace : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(state_ + "/objects/3f"); }
  bool refused(const std::string& folder) {
    const auto place = check_backup_place(folder, state_);
    return !place.ok() && place.error().code() == core::Code::refused;
  }
  ScratchFolder scratch_;
  const std::string state_ = scratch_ / "var/state";
};

TEST_F(BackupPlace, IsNotTheStateFolderNorInItNorAroundIt) {
  EXPECT_TRUE(refused(state_));
  EXPECT_TRUE(refused(state_ + "/"));
  EXPECT_TRUE(refused(state_ + "/objects"));
  EXPECT_TRUE(refused(state_ + "/objects/../not there yet"));
  EXPECT_TRUE(refused(scratch_ / "var"));
  EXPECT_TRUE(refused("/"));
}

TEST_F(BackupPlace, MayLieBesideIt) {
  EXPECT_FALSE(refused(scratch_ / "var/state-backup"));
  EXPECT_FALSE(refused(scratch_ / "var/backup"));
  std::filesystem::create_directories(scratch_ / "medium/objects");
  EXPECT_FALSE(refused(scratch_ / "medium"));
}

TEST_F(BackupPlace, IsSeenThroughLinks) {
  std::filesystem::create_directory_symlink(state_, scratch_ / "link");
  EXPECT_TRUE(refused(scratch_ / "link"));
  EXPECT_TRUE(refused(scratch_ / "link/new"));
  std::filesystem::create_directories(scratch_ / "medium");
  std::filesystem::create_directory_symlink(state_ + "/objects", scratch_ / "medium/objects");
  EXPECT_TRUE(refused(scratch_ / "medium")) << "its objects would be the gateway's";
}

/// Objects on another disk: the state folder holds a link to them.
TEST_F(BackupPlace, IsNotAroundWhatTheStateFolderLinksTo) {
  const std::string state = scratch_ / "linking";
  std::filesystem::create_directories(state);
  std::filesystem::create_directories(scratch_ / "disk/objects/3f");
  std::filesystem::create_directory_symlink(scratch_ / "disk/objects", state + "/objects");
  EXPECT_FALSE(check_backup_place(scratch_ / "disk", state).ok());
  EXPECT_FALSE(check_backup_place(scratch_ / "disk/objects/3f", state).ok());
  EXPECT_TRUE(check_backup_place(scratch_ / "disk/backup", state).ok());
}

TEST_F(BackupPlace, NeedNotBeThere) {
  EXPECT_FALSE(check_backup_place("/nowhere/state/in", "/nowhere/state").ok());
  EXPECT_TRUE(check_backup_place("/nowhere/else", "/nowhere/state").ok());
}

}  // namespace
}  // namespace gateway::crypto
