#include "adapters/dicom/attribute_matching.h"

#include <gtest/gtest.h>

#include <string>

namespace gateway::adapters::dicom {
namespace {

bool wild(std::string_view key, std::string_view value) {
  return matches(MatchKind::wildcard, key, value);
}
bool name(std::string_view key, std::string_view value) {
  return matches(MatchKind::person_name, key, value);
}
bool date(std::string_view key, std::string_view value) {
  return matches(MatchKind::date, key, value);
}
bool time(std::string_view key, std::string_view value) {
  return matches(MatchKind::time, key, value);
}

TEST(WildcardMatching, StandsForAnyCharacters) {
  EXPECT_TRUE(wild("CT*", "CT1"));
  EXPECT_TRUE(wild("*", ""));
  EXPECT_TRUE(wild("*a*b*", "xxaxxbxx"));
  EXPECT_TRUE(wild("?T1", "CT1"));
  EXPECT_TRUE(wild("??", "王東"));
  EXPECT_FALSE(wild("?", ""));
  EXPECT_FALSE(wild("CT", "CT1"));
  EXPECT_FALSE(wild("ct1", "CT1"));
  EXPECT_FALSE(wild("*a*b", "ab*"));
}

TEST(WildcardMatching, TakesTimeOnlyByLength) {
  const std::string value(64, 'a');
  EXPECT_FALSE(wild("*a*a*a*a*a*a*a*a*a*a*a*a*b", value));
}

TEST(NameMatching, IgnoresCaseAccentsAndWhatTheQueryLeavesOut) {
  EXPECT_TRUE(name("MULLER^jorg", "Müller^Jörg"));
  EXPECT_TRUE(name("mul*", "Müller^Jörg"));
  EXPECT_TRUE(name("Müller^Jörg^^^", "Müller^Jörg"));
  EXPECT_TRUE(name("Wang*", "Wang^XiaoDong=王^小東"));
  EXPECT_TRUE(name("ΔΙΟΝΎΣΙΟΣ", "διονυσιος"));
  EXPECT_TRUE(name("ЮРИЙ", "Юрий"));
  EXPECT_TRUE(name("=王*", "Wang^XiaoDong=王^小東"));
  EXPECT_FALSE(name("Muller", "Müller^Jörg"));
  EXPECT_FALSE(name("Wang*=李*", "Wang^XiaoDong=王^小東"));
}

TEST(UidMatching, TakesAList) {
  EXPECT_TRUE(matches(MatchKind::uid_list, "1.2\\1.3", "1.3"));
  EXPECT_FALSE(matches(MatchKind::uid_list, "1.2\\1.3", "1.33"));
}

TEST(DateMatching, SingleAndRanges) {
  EXPECT_TRUE(date("20260705", "20260705"));
  EXPECT_FALSE(date("20260705", "20260706"));
  EXPECT_TRUE(date("20260701-20260731", "20260705"));
  EXPECT_TRUE(date("-20260705", "20260705"));
  EXPECT_TRUE(date("20260705-", "20260705"));
  EXPECT_FALSE(date("20260706-", "20260705"));
  EXPECT_FALSE(date("20260701-20260731", ""));
  EXPECT_TRUE(date("2026.07.05", "20260705"));
}

TEST(TimeMatching, LessPrecisionMeansTheWholeSpan) {
  EXPECT_TRUE(time("10", "103000"));
  EXPECT_TRUE(time("1030", "103059"));
  EXPECT_FALSE(time("10", "110000"));
  EXPECT_TRUE(time("10-12", "123000"));
  EXPECT_FALSE(time("10-12", "130000"));
  EXPECT_TRUE(time("-0900", "085959.5"));
  EXPECT_TRUE(time("103000", "1030"));
  EXPECT_TRUE(time("10:30:00", "103000"));
}

TEST(SpanMatching, JoinsDateAndTime) {
  const std::string_view dates = "20260705-20260707";
  const std::string_view times = "1000-1800";
  EXPECT_FALSE(matches_span(dates, times, "20260705", "095959"));
  EXPECT_TRUE(matches_span(dates, times, "20260705", "100000"));
  EXPECT_TRUE(matches_span(dates, times, "20260706", "030000"));
  EXPECT_TRUE(matches_span(dates, times, "20260707", "180030"));
  EXPECT_FALSE(matches_span(dates, times, "20260707", "180100"));
  EXPECT_TRUE(matches_span("20260705-", "1000-", "20270101", "0000"));
  EXPECT_FALSE(matches_span(dates, times, "20260706", ""));
}

}  // namespace
}  // namespace gateway::adapters::dicom
