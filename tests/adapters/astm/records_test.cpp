// Records and fields of LIS02-A2, and the profile's files.
#include "adapters/astm/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/profiles/difference.h"

namespace gateway::adapters::astm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const Message> parse(std::string text) {
  auto parsed = Message::parse(std::move(text));
  EXPECT_TRUE(parsed.ok());
  return parsed.ok() ? *parsed : nullptr;
}

TEST(AstmRecords, TheHeaderNamesTheDelimiters) {
  const auto message = parse("H|@^\\|ID\rO|1|A@B|c^d\\F\\e\r");
  const Record& order = message->records()[1];
  EXPECT_EQ(message->header().field(3).text(), "ID");
  EXPECT_EQ(order.field(3).repeats(), 2U);
  EXPECT_EQ(order.field(3).repeat(1).text(), "B");
  EXPECT_EQ(order.field(4).component(2).text(), "d|e");
}

TEST(AstmRecords, ADoubledBackslashMeansOne) {
  const auto message = parse("H|\\\\^&|||mini^b\rR|1|a\\b^c&S&d\r");
  EXPECT_EQ(message->header().field(5).component(2).text(), "b");
  EXPECT_EQ(message->records()[1].field(3).repeat(1).component(2).text(), "c^d");
}

TEST(AstmRecords, LineEndsOfAllKindsAndWhatNobodyDefined) {
  const auto message = parse("H|\\^&\r\n p|1\nZ|x\r\rL|1");
  ASSERT_EQ(message->records().size(), 4U);
  EXPECT_EQ(message->records()[1].type, 'P');
  EXPECT_EQ(message->records()[3].type, 'L');
}

TEST(AstmRecords, EscapesThatAreNoneStandForThemselves) {
  const auto message = parse("H|\\^&\rR|1|a&b|&X4142&|&X0D&|&&|&E&|&H&x&N&\r");
  const Record& result = message->records()[1];
  EXPECT_EQ(result.field(3).text(), "a&b");
  EXPECT_EQ(result.field(4).text(), "AB");
  EXPECT_EQ(result.field(5).text(), "&X0D&");
  EXPECT_EQ(result.field(6).text(), "&&");
  EXPECT_EQ(result.field(7).text(), "&");
  EXPECT_EQ(result.field(8).text(), "x");
}

TEST(AstmRecords, WhatIsNoMessageIsRefused) {
  EXPECT_FALSE(Message::parse("").ok());
  EXPECT_FALSE(Message::parse("P|1\r").ok());
  EXPECT_FALSE(Message::parse("HABC\r").ok());
  EXPECT_FALSE(Message::parse("H|\\^&\rO|" + std::string(2'000, '\\') + "\r").ok());
}

TEST(AstmRecords, AMessageIsWholeWithItsTerminator) {
  EXPECT_EQ(whole_messages("H|\\^&\rL|1|N"), 0U);
  EXPECT_EQ(whole_messages("H|\\^&\rL|1|N\r"), 12U);
  EXPECT_EQ(whole_messages("H|\\^&\rL|1\rH|\\^&\r"), 10U);
  EXPECT_EQ(whole_messages("P|1\rL|1\r"), 0U);
}

TEST(AstmRecords, EachPatientHasAMessageOfItsOwn) {
  EXPECT_THAT(split_messages("H|h\rP|1\rR|a\rP|2\rR|b\rL|1\r"),
              ElementsAre("H|h\rP|1\rR|a\rL|1\r", "H|h\rP|2\rR|b\rL|1\r"));
  EXPECT_THAT(split_messages("H|1\rL|1\rH|2\rL|1\r"), ElementsAre("H|1\rL|1\r", "H|2\rL|1\r"));
}

TEST(CodeMap, TheUnitTakesPartAndNothingIsGuessed) {
  const auto map = profiles::CodeMap::parse(
      "code,unit,loinc,display,ucum\r\nA1c,%,4548-4,\"Hb, "
      "A1c\",%\nA1c,mmol/mol,59261-8,,\nX,,,,\n");
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->find("A1c", "%").row->loinc, "4548-4");
  EXPECT_EQ(map->find("A1c", " % ").row->display, "Hb, A1c");
  EXPECT_EQ(map->find("A1c", "mmol/mol").row->loinc, "59261-8");
  EXPECT_TRUE(map->find("A1c", "g/L").is_impossible_pair);
  EXPECT_EQ(map->find("A1c", "").row, nullptr);
  EXPECT_FALSE(map->find("A1c", "").is_impossible_pair);
  EXPECT_NE(map->find("X", "mg").row, nullptr);
  EXPECT_EQ(map->find("a1c", "%").row, nullptr);
  EXPECT_THAT(map->local_codes("4548-4"), ElementsAre("A1c"));
}

TEST(CodeMap, ARowMayBeForNoUnitAlone) {
  const auto map =
      profiles::CodeMap::parse("code,unit,loinc,display,ucum\nHCT,%,4544-3,,%\nHCT,-,,,L/L\n");
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->find("HCT", "").row->ucum, "L/L");
  EXPECT_EQ(map->find("HCT", "%").row->ucum, "%");
  EXPECT_EQ(map->find("HCT", "g/L").row, nullptr);
  EXPECT_TRUE(map->find("HCT", "g/L").is_impossible_pair);
  EXPECT_TRUE(map->find("HCT", "-").is_impossible_pair);
}

TEST(CodeMap, AMistakeNamesItsLine) {
  const auto message = [](const char* csv) {
    const auto map = profiles::CodeMap::parse(csv);
    return map.ok() ? std::string() : map.error().message();
  };
  EXPECT_THAT(message("code,unit,loinc,display,ucum\nA,,4548-5,,\n"), HasSubstr("line 2"));
  EXPECT_THAT(message("code,unit,loinc,display,ucum\nA,,,,\nA,,,,\n"), HasSubstr("second time"));
  EXPECT_THAT(message("code,unit,loinc,display,ucum\nA,,\n"), HasSubstr("cells"));
  EXPECT_THAT(message("code,unit,loinc,display,ucum\n\"A,,,,\n"), HasSubstr("no end"));
}

TEST(Difference, NamesThePlace) {
  const auto expected = core::Json::parse(R"({"a":[{"v":2.0}],"b":1})");
  const auto actual = core::Json::parse(R"({"a":[{"v":2}],"c":1})");
  EXPECT_THAT(profiles::difference(*expected, *actual),
              ElementsAre("a[0].v: expected 2.0, came 2", "b: expected 1, came nothing",
                          "c: not expected, came 1"));
}

}  // namespace
}  // namespace gateway::adapters::astm
