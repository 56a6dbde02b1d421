// The database is gone; keyring and object files give every image back.
#include "sync/rebuild.h"

#include <filesystem>
#include <fstream>

#include "tests/fakes/bad_sectors.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class RebuildTest : public RecordsTest {
 protected:
  std::string object_of(const std::string& uid) {
    return text(
        core::cat("SELECT object_id FROM dicom_instance WHERE sop_instance_uid = '", uid, "'"));
  }
  std::string in_place(const std::string& id) const {
    return core::cat(folder_, "/objects/", id.substr(34), "/", id);
  }
  std::string in_incoming(const std::string& id) const {
    return core::cat(folder_, "/objects/incoming/", id);
  }
  /// As if the power had gone before it was put in place.
  void bring_in_again(const std::string& id) const {
    std::filesystem::rename(in_place(id), in_incoming(id));
  }
  static void damage_header(const std::string& path) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(60);
    file.put('?');
    file.put('?');
  }
  std::string rows() {
    return text(
        "SELECT group_concat(line, ' ; ') FROM (SELECT sop_instance_uid || ' ' ||"
        " study_uid || ' ' || object_id || ' ' || size || ' ' || data_set_offset || ' ' ||"
        " calling_ae_title || ' ' || transfer_syntax_uid AS line FROM dicom_instance"
        " ORDER BY object_id)");
  }
};

TEST_F(RebuildTest, EveryImageIsBackAndIsLookedForBeforeItIsSentAgain) {
  take_in("1.2", "1.2.3", "pixels");
  take_in("1.2", "1.2.4", std::string(400'000, 'x'));
  take_in("1.3", "1.3.3", "pixels");
  take_in("1.3", "1.3.3", "other pixels");  // another copy
  const std::string before = rows();
  const std::string imaging_study =
      text("SELECT imaging_study_id FROM dicom_study WHERE study_uid = '1.2'");
  lose_database();

  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  const auto opened = reopen();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ(rows(), before);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance' AND perhaps_sent = 1"), 4);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE state = 'parked'"), 1);
  EXPECT_EQ(text("SELECT imaging_study_id FROM dicom_study WHERE study_uid = '1.2'"),
            imaging_study);
  EXPECT_EQ(text("SELECT group_concat(copy) FROM (SELECT copy FROM dicom_instance"
                 " WHERE sop_instance_uid = '1.3.3' ORDER BY copy)"),
            "0,1");
  // No second Patient is registered for what may be registered already.
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
  EXPECT_EQ(text("SELECT DISTINCT identity FROM dicom_study"), "disputed");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/rebuild-index"));
}

TEST_F(RebuildTest, ALostDatabaseIsNoNewOne) {
  take_in("1.2", "1.2.3", "pixels");
  lose_database();
  const auto opened = reopen();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), core::Code::not_found);
  EXPECT_NE(opened.error().message().find("repair rebuild-index"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/gateway.db"));
}

TEST_F(RebuildTest, WhatWasNotPutInPlaceYetIsBackToo) {
  take_in("1.2", "1.2.3", "pixels");
  const std::string id = text("SELECT object_id FROM dicom_instance");
  lose_database();
  bring_in_again(id);
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  ASSERT_TRUE(reopen().ok());
  EXPECT_EQ(text("SELECT object_id FROM dicom_instance"), id);
  EXPECT_TRUE(held_->objects().open_object(id).ok());
}

TEST_F(RebuildTest, ARebuildThatWasCutShortGoesOn) {
  for (int i = 1; i <= 5; ++i) take_in("1.2", core::cat("1.2.", i), "pixels");
  const std::string before = rows();
  lose_database();
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  ASSERT_TRUE(reopen().ok());
  // As after a crash: the mark is still there, some rows are not.
  write([](Connection& c) -> core::Status {
    GW_CHECK(c.run("DELETE FROM outbox"));
    return c.run("DELETE FROM dicom_instance WHERE sop_instance_uid > '1.2.2'");
  });
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  ASSERT_TRUE(reopen().ok());
  EXPECT_EQ(rows(), before);
}

TEST_F(RebuildTest, WhatTheDiskRefusesIsKeptForALaterRebuild) {
  take_in("1.2", "1.2.3", "pixels");
  take_in("1.2", "1.2.4", "pixels");
  const std::string before = rows();
  const std::string dead = object_of("1.2.3");
  const std::string hard_to_read = object_of("1.2.4");
  lose_database();
  for (const std::string& id : {dead, hard_to_read}) bring_in_again(id);
  fakes::BadSectors drive(core::system_files());
  drive.spoil(dead, 0);
  drive.spoil(hard_to_read, 0, 1);
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  const auto opened = reopen(drive);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ(text("SELECT group_concat(object_id) FROM dicom_instance"), hard_to_read);
  ASSERT_TRUE(std::filesystem::exists(in_place(dead))) << "its sender may have deleted it";
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  ASSERT_TRUE(reopen().ok());
  EXPECT_EQ(rows(), before);
}

TEST_F(RebuildTest, WhatCannotBeOpenedIsKeptWhileAnEpochsKeyIsLost) {
  take_in("1.2", "1.2.3", "pixels");
  const std::string id = object_of("1.2.3");
  lose_database();
  for (const bool is_key_lost : {true, false}) {
    bring_in_again(id);
    if (is_key_lost) damage_header(in_incoming(id));
    BorrowedKeyring::pretended_lost = is_key_lost ? 202501U : 0U;
    ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
    const auto opened = reopen();
    BorrowedKeyring::pretended_lost = 0;
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    EXPECT_EQ(std::filesystem::exists(in_place(id)), is_key_lost);
    EXPECT_FALSE(std::filesystem::exists(in_incoming(id)));
    held_.reset();
  }
}

TEST_F(RebuildTest, ADamagedObjectDoesNotStopTheOthers) {
  take_in("1.2", "1.2.3", "pixels");
  take_in("1.2", "1.2.4", "pixels");
  const std::string id = object_of("1.2.3");
  lose_database();
  const std::string path = in_place(id);
  damage_header(path);
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  ASSERT_TRUE(reopen().ok());
  EXPECT_EQ(text("SELECT sop_instance_uid FROM dicom_instance"), "1.2.4");
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace gateway::sync
