// The real daemon with drop folders: what rests is taken once, whatever is killed when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "daemon_process.h"

namespace gateway::daemon {
namespace {

namespace fs = std::filesystem;
using core::Json;
using ::testing::HasSubstr;

constexpr std::size_t kFirst = 0;

class FolderDevices : public ::testing::Test {
 protected:
  FolderDevices() : drop_(daemon_.folder() + "/drop") {
    fs::create_directory(drop_);
    daemon_.configure("[profiles]\nshipped_dir = \"" GATEWAY_PROFILES
                      "\"\nsite_dir = \"/nonexistent\"\n[device.spiro]\nprotocol = \"folder\"\n"
                      "profile = \"spirometer-pdf-xml\"\nsettle_s = 1\n"
                      "patient_id_issuer = \"urn:oid:2.25.1\"\nfolder = \"" +
                      drop_ + "\"\n");
  }
  void drop() const {
    for (const char* end : {".xml", ".pdf"}) {
      fs::copy(std::string(GATEWAY_PROFILES) + "/spirometer-pdf-xml/fixtures/bronchitis" + end,
               drop_ + "/bronchitis" + end);
    }
  }
  bool is_empty(const std::string& folder) const {
    for (const auto& entry : fs::directory_iterator(drop_ + folder)) {
      if (entry.is_regular_file()) return false;
    }
    return true;
  }
  Json device() const { return daemon_.status()["folder"]["devices"][kFirst]; }
  std::int64_t count(const char* what) const {
    return device()["counts"][what].integer().value_or(0);
  }

  DaemonProcess daemon_;
  const std::string drop_;
};

TEST_F(FolderDevices, ARecordAndItsReportAreTakenAndTheFolderIsEmpty) {
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  drop();
  EXPECT_TRUE(holds_within(30, [&] { return count("stored") == 1; })) << daemon_.log();
  EXPECT_TRUE(holds_within(10, [&] { return is_empty("") && is_empty("/taking"); }));
  EXPECT_THAT(daemon_.ask({"devices", "list"}).out, HasSubstr("spirometer-pdf-xml"));
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
  EXPECT_EQ(daemon_.log().find("Mbewe"), std::string::npos);
}

TEST_F(FolderDevices, KilledBetweenCommitAndMoveItIsTakenOnce) {
  daemon_.set_environment("CLINIC_GATEWAY_CRASH_AT", "message-committed:1");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  drop();
  ASSERT_TRUE(holds_within(30, [&] { return !daemon_.running(); }));
  EXPECT_FALSE(is_empty("/taking"));
  daemon_.set_environment("CLINIC_GATEWAY_CRASH_AT", "");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_TRUE(holds_within(30, [&] { return count("repeated") == 1; })) << daemon_.log();
  EXPECT_EQ(count("stored"), 0);
  EXPECT_TRUE(holds_within(10, [&] { return is_empty("") && is_empty("/taking"); }));
}

}  // namespace
}  // namespace gateway::daemon
