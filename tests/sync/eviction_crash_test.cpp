// The power goes at every step of shredding an evicted object; the next start finishes the work.
#include <gtest/gtest.h>

#include "sync/eviction.h"
#include "sync/shredding.h"
#include "tests/fakes/fault_files.h"
#include "tests/fakes/fault_vfs.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class EvictionCrashTest : public RecordsTest {
 protected:
  EvictionCrashTest() : vfs_(files_) {}
  ~EvictionCrashTest() override { held_.reset(); }

  void SetUp() override {
    RecordsTest::SetUp();
    held_.reset();
    ASSERT_TRUE(files_.make_folder(folder_).ok());
    ASSERT_TRUE(files_.sync_folder("/tmp").ok());
    ASSERT_TRUE(files_.sync_folder("/").ok());
    open();
  }
  void open() {
    held_.reset();
    HoldingsOptions options;
    options.state_folder = folder_;
    options.ingest = {kIssuer, {"pacs"}, {"his"}};
    options.worklist.time_zone = "Europe/Madrid";
    auto held = Holdings::open(files_, std::make_unique<BorrowedKeyring>(*keyring_),
                               core::system_clock(), options);
    ASSERT_TRUE(held.ok()) << held.error().message();
    held_ = *held;
  }
  core::Status shred() {
    const auto done = shred_doomed(held_->database(), held_->objects(), core::system_clock(),
                                   [] { return false; });
    return done.ok() ? core::Status() : core::Status(done.error());
  }

  fakes::FaultFiles files_;
  fakes::FaultVfs vfs_;
};

TEST_F(EvictionCrashTest, NoStepLeavesTheBytesOrLosesTheOthers) {
  using fakes::Unsynced;
  int points = 0;
  int uid = 0;
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
    bool crashed = true;
    for (std::uint64_t step = 1; crashed; ++step) {
      const std::string gone = core::cat("1.2.", ++uid);
      const std::string kept = core::cat("1.3.", uid);
      store(facts("1.2", gone), "pixels");
      store(facts("1.3", kept), "pixels");
      const auto row =
          count(core::cat("SELECT row FROM dicom_instance WHERE sop_instance_uid = '", gone, "'"));
      const auto object_of = [&](const std::string& name) {
        return text(core::cat("SELECT object_id FROM dicom_instance WHERE sop_instance_uid = '",
                              name, "'"));
      };
      write([&](Connection& c) {
        return c.run(
            "INSERT INTO dicom_delivery (instance, uplink, proof, at)"
            " VALUES (?, 'pacs', 'verified', ?)",
            row, kNow);
      });
      const auto evicted = evict(*held_, core::system_clock(), {row});
      ASSERT_TRUE(evicted.ok());
      ASSERT_EQ(evicted->instances, 1u);
      files_.crash_at_operation(step);
      (void)shred();
      crashed = files_.crashed();
      held_.reset();
      files_.restart(unsynced);
      points += crashed ? 1 : 0;

      open();
      ASSERT_TRUE(shred().ok()) << "step " << step;
      EXPECT_EQ(count("SELECT count(*) FROM object_doomed"), 0);
      EXPECT_EQ(text(core::cat("SELECT state FROM dicom_instance WHERE row = ", row)), "evicted");
      const auto opened = held_->objects().open_object(object_of(gone));
      ASSERT_FALSE(opened.ok()) << "step " << step;
      EXPECT_EQ(opened.error().code(), core::Code::not_found);
      EXPECT_TRUE(held_->objects().open_object(object_of(kept)).ok()) << "step " << step;
    }
  }
  EXPECT_GE(points, 9);  // overwrite, sync, remove, sync of the folder, three kinds of loss
  RecordProperty("crash_points", points);
}

}  // namespace
}  // namespace gateway::sync
