#include "daemon/cli/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gateway::cli {
namespace {

using core::Json;
using testing::HasSubstr;

TEST(Tables, ColumnsLineUpByCharactersNotBytes) {
  EXPECT_EQ(format_table({{"NAME", "N"}, {"Zoë", "1"}, {"Banda", "22"}}),
            "NAME   N\n"
            "Zoë    1\n"
            "Banda  22\n");
}

TEST(Tables, StoredTextDoesNotDriveTheTerminal) {
  EXPECT_EQ(format_table({{"a\x1b[2Jb\nc"}}), "a?[2Jb?c\n");
}

TEST(Tables, OneLongNameDoesNotPadEveryRow) {
  Json study = Json::object({{"patient_name", std::string(9'000, 'x')}, {"study_uid", "1.2"}});
  const std::string text =
      format_studies(Json::object({{"studies", Json::array({std::move(study)})}}));
  EXPECT_THAT(text, HasSubstr(std::string(64, 'x') + "..."));
  EXPECT_LT(text.size(), 1'000u);
}

TEST(Tables, DurationsAndSizesReadWell) {
  EXPECT_EQ(format_duration(59), "59 s");
  EXPECT_EQ(format_duration(75), "1 min 15 s");
  EXPECT_EQ(format_duration(3'700), "1 h 1 min");
  EXPECT_EQ(format_duration(200'000), "2 d 7 h");
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1'610'612'736), "1.5 GB");
}

TEST(Tables, StatusNamesStateReasonAndProblems) {
  const auto status = Json::parse(
      R"({"state":"locked","reason":"no passphrase","since":"2026-01-01T00:00:00.000Z","queue":null,)"
      R"("dicom":{"state":"failed"},"mqtt":{"configured":false},"disk":{"free_bytes":null,"reserve_bytes":1048576},)"
      R"("uplinks":[],"problems":[{"component":"dicom","problem":"port in use"}]})");
  ASSERT_TRUE(status.ok());
  const std::string text = format_status(*status);
  EXPECT_THAT(text, HasSubstr("LOCKED since 2026-01-01T00:00:00.000Z: no passphrase"));
  EXPECT_THAT(text, HasSubstr("PROBLEM dicom: port in use"));
  EXPECT_THAT(text, HasSubstr("unknown free"));
  EXPECT_THAT(format_status(*Json::parse(R"({"reviews":{"open":2,"oldest_age_s":86400}})")),
              HasSubstr("2 to be decided, oldest 1 d 0 h"));
  EXPECT_THAT(
      format_status(*Json::parse(R"({"inbox":{"waiting":2,"oldest_age_s":86400}})")),
      HasSubstr(
          "2 of the hospital's wait for the patient or order they belong to, oldest 1 d 0 h"));
}

TEST(Tables, EmptyListsSaySo) {
  EXPECT_EQ(format_queue(*Json::parse(R"({"queue":[]})")), "Nothing is waiting.\n");
  EXPECT_EQ(format_studies(*Json::parse(R"({"studies":[]})")), "No studies yet.\n");
}

TEST(Tables, FindingsCarryVerdictAndAdvice) {
  const auto answer =
      Json::parse(R"({"findings":[{"check":"disk","verdict":"ok","detail":"fine","advice":""},)"
                  R"({"check":"clock","verdict":"fail","detail":"1970","advice":"set it"}]})");
  EXPECT_EQ(format_findings(*answer), "OK    disk: fine\nFAIL  clock: 1970 -> set it\n");
}

}  // namespace
}  // namespace gateway::cli
