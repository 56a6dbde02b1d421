// What retention decides, and the pure parts that read an instance back.
#include "sync/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sync/multipart_reader.h"
#include "sync/part10.h"
#include "tests/sync/part10_file.h"

namespace gateway::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr core::Wall kNoon{std::chrono::hours(500'000)};

HeldStudy study(std::int64_t first_row, int days_old, bool confirmed, int instances = 2) {
  HeldStudy made;
  made.study_uid = std::to_string(first_row);
  made.last_received = kNoon - std::chrono::hours(24 * days_old);
  for (int i = 0; i < instances; ++i) {
    made.instances.push_back({first_row + i, 100, confirmed, {}});
  }
  return made;
}

RetentionPolicy keep_days(int days) {
  RetentionPolicy policy;
  policy.keep = std::chrono::hours(24 * days);
  return policy;
}

TEST(RetentionPlan, EvictsByAgeWhatEveryPacsHasConfirmed) {
  const std::vector<HeldStudy> held{study(1, 40, true), study(11, 31, false), study(21, 30, true),
                                    study(31, 29, true)};
  const auto plan = plan_retention(keep_days(30), kNoon, 0, held);
  EXPECT_THAT(plan.evict, ElementsAre(1, 2, 21, 22));
  EXPECT_THAT(plan.ask, IsEmpty());
}

TEST(RetentionPlan, WithoutAnAgeAndWithEnoughRoomNothingGoes) {
  const std::vector<HeldStudy> held{study(1, 4000, true)};
  EXPECT_THAT(plan_retention({}, kNoon, 0, held).evict, IsEmpty());
}

TEST(RetentionPlan, MakesAsMuchRoomAsIsWantedOldestFirst) {
  const std::vector<HeldStudy> held{study(1, 9, true), study(11, 8, true), study(21, 7, true)};
  EXPECT_THAT(plan_retention({}, kNoon, 250, held).evict, ElementsAre(1, 2, 11));
}

TEST(RetentionPlan, TheUsualMarksFitTheDiskAndLieAboveTheReserve) {
  constexpr std::uint64_t kGigabyte = 1 << 30;
  EXPECT_EQ(usual_marks(128 * kGigabyte, kGigabyte).free_below_bytes, 4 * kGigabyte);
  EXPECT_EQ(usual_marks(128 * kGigabyte, kGigabyte).free_until_bytes, 8 * kGigabyte);
  EXPECT_EQ(usual_marks(40 * kGigabyte, kGigabyte).free_below_bytes, 2 * kGigabyte);
  EXPECT_EQ(usual_marks(8 * kGigabyte, kGigabyte).free_below_bytes, kGigabyte * 3 / 2);
}

TEST(RetentionPlan, WhatIsNotConfirmedStaysHoweverFullTheDiskIs) {
  const std::vector<HeldStudy> held{study(11, 800, false), study(21, 1, true)};
  EXPECT_THAT(plan_retention(keep_days(30), kNoon, 1 << 30, held).evict, ElementsAre(21, 22));
}

TEST(RetentionPlan, AsksOnlyForAsMuchProofAsItNeeds) {
  std::vector<HeldStudy> held{study(1, 9, false), study(11, 8, true)};
  for (auto& instance : held[0].instances) instance.to_be_asked = {"pacs", "archive"};
  const auto plan = plan_retention({}, kNoon, 150, held);
  EXPECT_THAT(plan.ask, ElementsAre(Question{1, "pacs"}, Question{1, "archive"},
                                    Question{2, "pacs"}, Question{2, "archive"}));
  EXPECT_THAT(plan.evict, IsEmpty());
}

TEST(RetentionPlan, AClockThatWentBackEvictsNothingByAge) {
  const std::vector<HeldStudy> held{study(1, -9000, true)};
  EXPECT_THAT(plan_retention(keep_days(1), kNoon, 0, held).evict, IsEmpty());
}

TEST(RetentionPlan, RoomIsMadeBetweenTwoMarks) {
  RetentionPolicy policy;
  EXPECT_FALSE(is_making_room(policy, 0, true));
  policy.free_below_bytes = 100;
  policy.free_until_bytes = 200;
  EXPECT_FALSE(is_making_room(policy, 150, false));
  EXPECT_TRUE(is_making_room(policy, 99, false));
  EXPECT_TRUE(is_making_room(policy, 150, true));
  EXPECT_FALSE(is_making_room(policy, 200, true));
}

std::string first_part(const std::string& body, std::size_t at_once, bool* whole) {
  std::string taken;
  MultipartReader reader([&](std::span<const std::byte> bytes) {
    taken.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return core::Status();
  });
  for (std::size_t at = 0; at < body.size(); at += at_once) {
    const auto piece = std::string_view(body).substr(at, at_once);
    EXPECT_TRUE(reader.feed(std::as_bytes(std::span(piece))).ok());
  }
  *whole = reader.whole();
  return taken;
}

TEST(MultipartReader, HandsOnTheFirstPartHoweverItArrives) {
  const std::string content = "bytes with --b\r\n--almost\r\n-- in them";
  const std::string body =
      "\r\n--b7\r\nContent-Type: application/dicom\r\n\r\n" + content + "\r\n--b7--\r\n";
  bool whole = false;
  for (std::size_t at_once = 1; at_once <= body.size(); ++at_once) {
    EXPECT_EQ(first_part(body, at_once, &whole), content) << at_once;
    EXPECT_TRUE(whole) << at_once;
  }
  first_part(body.substr(0, body.size() - 6), 7, &whole);
  EXPECT_FALSE(whole);
}

TEST(MultipartReader, RefusesWhatIsNoMultipart) {
  MultipartReader reader([](std::span<const std::byte>) { return core::Status(); });
  const std::string_view page = "<html>\r\n<body>not what was asked for</body></html>";
  EXPECT_FALSE(reader.feed(std::as_bytes(std::span(page))).ok());
}

TEST(Part10Head, IsReadAsSoonAsItIsWhole) {
  const std::string head = part10_head("1.2.3.4", "CT_ROOM1");
  const std::string file = head + "data set";
  const auto bytes = std::as_bytes(std::span(std::string_view(file)));
  for (std::size_t size = 0; size < head.size(); ++size) {
    const auto early = read_part10_head(bytes.first(size));
    ASSERT_TRUE(early.ok()) << size;
    EXPECT_FALSE(early->has_value()) << size;
  }
  const auto read = read_part10_head(bytes);
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ((*read)->sop_instance_uid, "1.2.3.4");
  EXPECT_EQ((*read)->transfer_syntax_uid, "1.2.840.10008.1.2.1");
  EXPECT_EQ((*read)->source_ae_title, "CT_ROOM1");
  EXPECT_EQ((*read)->data_set_offset, head.size());
}

TEST(Part10Head, RefusesOtherFilesAndLengthsThatLie) {
  const std::string text(400, 'x');
  EXPECT_FALSE(read_part10_head(std::as_bytes(std::span(std::string_view(text)))).ok());
  std::string lying = part10_head("1.2.3.4");
  lying[128 + 4 + 8 + 3] = '\x7f';
  EXPECT_FALSE(read_part10_head(std::as_bytes(std::span(std::string_view(lying)))).ok());
  std::string cut = part10_head("1.2.3.4");
  cut[128 + 4 + 12 + 11] = '\x7f';
  EXPECT_FALSE(read_part10_head(std::as_bytes(std::span(std::string_view(cut)))).ok());
}

}  // namespace
}  // namespace gateway::sync
