// A real file system of a few MB fills up under a real gateway: it says "no space", loses nothing
// that it acknowledged, and goes on by itself when space returns. Needs the right to mount.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "crypto/octets.h"
#include "tests/crypto/keys.h"
#include "tests/crypto/scratch_folder.h"
#include "tests/sync/records_fixture.h"

namespace gateway::at_rest {
namespace {

constexpr char kSmall[] = "size=6m";
constexpr char kLarger[] = "size=24m";

class SmallDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, kSmall) != 0) {
      GTEST_SKIP() << "this user cannot mount a file system here (" << std::strerror(errno)
                   << "): run as root outside a closed container";
    }
    mounted_ = true;
  }
  void TearDown() override {
    held_.reset();
    EXPECT_TRUE(!mounted_ || ::umount2(folder_.path().c_str(), MNT_DETACH) == 0);
  }

  core::Status open() {
    held_.reset();
    sync::HoldingsOptions options;
    options.state_folder = folder_.path();
    options.ingest = {sync::kIssuer, {"pacs"}, {"his"}};
    GW_TRY(held_,
           sync::Holdings::open(core::system_files(),
                                std::make_unique<sync::BorrowedKeyring>(crypto::shared_keyring()),
                                core::system_clock(), options));
    return {};
  }

  core::Status receive(int number) {
    sync::InstanceFacts facts;
    facts.study_instance_uid = "1.2.3";
    facts.series_instance_uid = "1.2.3.1";
    facts.sop_instance_uid = "1.2.3.1." + std::to_string(number);
    facts.patient_id = "P";
    const std::string bytes(60'000 + static_cast<std::size_t>(number), 'b');
    GW_TRY(auto object, held_->ingest().begin_object());
    GW_CHECK(object->append(crypto::as_octets(bytes)));
    GW_CHECK(held_->ingest().store({facts, {}, 0, "CT1", "GATEWAY", "127.0.0.1"}, *object));
    acknowledged_[facts.sop_instance_uid] = bytes;
    return {};
  }

  void expect_all_there() {
    std::size_t rows = 0;
    for (const auto& acknowledged : acknowledged_) {
      const std::string& sop = acknowledged.first;
      const std::string& bytes = acknowledged.second;
      auto id = held_->database().read_value<std::optional<std::string>>(
          [&](crypto::Connection& connection) {
            return connection.text(
                "SELECT object_id FROM dicom_instance WHERE sop_instance_uid = ?", sop);
          });
      ASSERT_TRUE(id.ok() && id->has_value()) << sop;
      auto reader = held_->objects().open_object(**id);
      ASSERT_TRUE(reader.ok()) << reader.error().message();
      std::string read(bytes.size() + 1, '\0');
      auto got = (*reader)->read(0, std::as_writable_bytes(std::span(read)));
      ASSERT_TRUE(got.ok()) << got.error().message();
      read.resize(*got);
      ASSERT_EQ(read, bytes);
      ++rows;
    }
    EXPECT_GT(rows, 10U);
  }

  crypto::ScratchFolder folder_;
  bool mounted_ = false;
  std::shared_ptr<sync::Holdings> held_;
  std::map<std::string, std::string> acknowledged_;
};

TEST_F(SmallDisk, FillsUpLosesNothingAndGoesOnWhenSpaceReturns) {
  ASSERT_TRUE(open().ok());
  core::Status refused;
  int number = 0;
  while (refused.ok() && number < 1000) refused = receive(++number);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), core::Code::no_space) << refused.error().message();
  // Still full: every further one is told the same, and nothing breaks.
  for (int i = 0; i < 20; ++i) {
    const auto again = receive(++number);
    EXPECT_TRUE(again.ok() || again.error().code() == core::Code::no_space);
  }
  expect_all_there();
  ASSERT_EQ(::mount("tmpfs", folder_.path().c_str(), "tmpfs", MS_REMOUNT, kLarger), 0);
  const auto works = receive(++number);
  ASSERT_TRUE(works.ok()) << works.error().message();
  ASSERT_TRUE(open().ok());
  expect_all_there();
}

}  // namespace
}  // namespace gateway::at_rest
