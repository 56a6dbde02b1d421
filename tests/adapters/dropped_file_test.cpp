// A DICOM file from a folder becomes what a C-STORE of it would; one that breaks off is not taken.
#include "adapters/dicom/dropped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data_sets.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::dicom {
namespace {

using ::testing::HasSubstr;

class DroppedFile : public sync::RecordsTest {
 protected:
  static std::string file() {
    DcmDataset data_set;
    fill_ct(data_set, 1);
    return sync::part10_head("1.2.826.0.1.3680043.10.1.1.1") +
           encode(data_set, EXS_LittleEndianExplicit);
  }
  /// In pieces of a size that fits no element.
  core::Result<sync::StoreOutcome> take(const std::string& bytes) {
    return take_dropped_file(held_, [&bytes]() -> NextBytes {
      return [&bytes, at = std::size_t{0}]() mutable -> core::Result<std::string> {
        std::string piece = bytes.substr(std::min(at, bytes.size()), 333);
        at += piece.size();
        return piece;
      };
    });
  }
};

TEST_F(DroppedFile, IsStoredAndItsRepeatIsKnown) {
  const auto stored = take(file());
  ASSERT_TRUE(stored.ok()) << stored.error().message();
  EXPECT_EQ(*stored, sync::StoreOutcome::stored);
  EXPECT_EQ(text("SELECT study_uid FROM dicom_study"), "1.2.826.0.1.3680043.10.1");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance'"),
            static_cast<std::int64_t>(image_uplinks_.size()));
  EXPECT_EQ(*take(file()), sync::StoreOutcome::repeated);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
}

TEST_F(DroppedFile, CutAnywhereItIsNotTaken) {
  const std::string whole = file();
  for (const std::size_t cut :
       {std::size_t{0}, std::size_t{140}, std::size_t{300}, whole.size() - 600, whole.size() - 1}) {
    const auto taken = take(whole.substr(0, cut));
    ASSERT_FALSE(taken.ok()) << cut;
    EXPECT_EQ(taken.error().code(), core::Code::busy) << cut;
    EXPECT_THAT(taken.error().message(), HasSubstr("ends in"));
  }
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 0);
}

}  // namespace
}  // namespace gateway::adapters::dicom
