#include <gtest/gtest.h>

#include <set>

#include "core/base64.h"
#include "core/civil_time.h"
#include "core/clock.h"
#include "core/ids.h"
#include "core/text.h"

namespace gateway::core {
namespace {

TEST(Text, CatTakesTextsCharactersNumbersAndTruth) {
  EXPECT_EQ(cat("a", 'b', 12, std::string("c"), true, -3L), "ab12ctrue-3");
}

TEST(Text, FoldRemovesCaseAccentsAndRunsOfBlanks) {
  EXPECT_EQ(fold("  ÑANDÚ   José "), "nandu jose");
  EXPECT_EQ(fold("Straße"), "strasse");
  EXPECT_EQ(fold("\xff\xfe"), "\xff\xfe");
}

TEST(Text, HexGoesBothWays) {
  EXPECT_EQ(to_hex(std::string("\x00\xab\xff", 3)), "00abff");
  EXPECT_EQ(from_hex("00ABff"), std::string("\x00\xab\xff", 3));
  EXPECT_EQ(from_hex("abc"), "");
  EXPECT_EQ(from_hex("zz"), "");
}

TEST(Text, Base64GoesBothWays) {
  // RFC 4648 10.
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  EXPECT_EQ(from_base64(" Zm\r\n9v Yg=\n="), "foob");
  for (const auto* wrong :
       {"Z", "Zg", "Zg=", "Zg===", "Z===", "Zg==Zg==", "Zm9v=", "Zm9-", "=", "Zm\xc3\xa4v"})
    EXPECT_EQ(from_base64(wrong), std::nullopt) << wrong;
}

TEST(Ids, UuidsAreVersion7DistinctAndOrderedByTime) {
  std::set<std::string> made;
  for (int i = 0; i < 1'000; ++i) made.insert(new_uuid());
  EXPECT_EQ(made.size(), 1'000u);
  for (const std::string& id : made) {
    EXPECT_TRUE(is_uuid(id)) << id;
    EXPECT_EQ(id[14], '7');
  }
  EXPECT_FALSE(is_uuid("0190C5E0-0000-7000-8000-000000000000"));
}

TEST(Ids, AUidFromAUuidIsItsDecimalBelow225) {
  EXPECT_EQ(uid_from_uuid("00000000-0000-0000-0000-000000000000"), "2.25.0");
  EXPECT_EQ(uid_from_uuid("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
            "2.25.329800735698586629295641978511506172918");
  EXPECT_EQ(uid_from_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"),
            "2.25.340282366920938463463374607431768211455");
}

TEST(Time, InstantsAreReadWithZoneAndFraction) {
  EXPECT_EQ(to_instant(*parse_instant("2026-03-01T09:15:30.5+01:00")), "2026-03-01T08:15:30.500Z");
  EXPECT_EQ(to_instant(*parse_instant("2026-03-01T08:15:30Z")), "2026-03-01T08:15:30.000Z");
  EXPECT_EQ(to_instant(*parse_http_date("Sun, 22 Nov 2026 05:09:10 GMT")),
            "2026-11-22T05:09:10.000Z");
  EXPECT_EQ(to_http_date(*parse_instant("2026-11-22T05:09:10.900Z")),
            "Sun, 22 Nov 2026 05:09:10 GMT");
  for (const char* bad :
       {"", "2026-03-01", "2026-03-01T08:15:30", "2026-13-01T08:15:30Z", "yesterday"}) {
    EXPECT_FALSE(parse_instant(bad)) << bad;
  }
}

TEST(Time, WhatTheZonesClocksShowIsOneInstant) {
  const auto instant = [](const char* shown, const char* zone) {
    const Wall as_utc = *parse_instant(shown);
    const auto ms = std::chrono::duration_cast<Milliseconds>(as_utc.time_since_epoch()).count();
    return to_instant(Wall(Milliseconds(from_local_ms(ms, zone))));
  };
  EXPECT_EQ(instant("2026-03-05T00:00:00Z", "Africa/Blantyre"), "2026-03-04T22:00:00.000Z");
  EXPECT_EQ(instant("2026-10-25T02:30:00Z", "Europe/Madrid"), "2026-10-25T00:30:00.000Z")
      << "the earlier of the two";
  EXPECT_EQ(instant("2026-03-05T00:00:00Z", "Mars/Olympus"), "2026-03-05T00:00:00.000Z");
}

TEST(Time, FhirToDicomIsInTheSitesZone) {
  EXPECT_EQ(to_dicom_time("2026-07-01T22:30:00Z", "Europe/Madrid").date, "20260702");
  EXPECT_EQ(to_dicom_time("2026-07-01T22:30:00Z", "Europe/Madrid").time, "003000");
  EXPECT_EQ(to_dicom_time("2026-07-01", "Europe/Madrid").date, "20260701");
  EXPECT_EQ(to_dicom_time("2026-07-01", "Europe/Madrid").time, "");
  EXPECT_EQ(to_dicom_time("2026-07", "Europe/Madrid").date, "");
}

TEST(Time, DicomToFhirGetsTheOffsetOfTheDay) {
  EXPECT_EQ(to_fhir_date_time("20260701", "0930", "Europe/Madrid"), "2026-07-01T09:30:00+02:00");
  EXPECT_EQ(to_fhir_date_time("20260101", "093015.123", "Europe/Madrid"),
            "2026-01-01T09:30:15+01:00");
  EXPECT_EQ(to_fhir_date_time("20260101", "", "Europe/Madrid"), "2026-01-01");
  EXPECT_EQ(to_fhir_date_time("20260101", "996099", "Europe/Madrid"), "2026-01-01");
  EXPECT_EQ(to_fhir_date_time("20260230", "0930", "Europe/Madrid"), "");
  // 02:30 does not exist on the night the clocks go forward, and exists twice when they go back.
  EXPECT_EQ(to_fhir_date_time("20260329", "0230", "Europe/Madrid"), "2026-03-29T03:00:00+02:00");
  EXPECT_EQ(to_fhir_date_time("20261025", "0230", "Europe/Madrid"), "2026-10-25T02:30:00+02:00");
}

TEST(Time, DatesGoBothWaysOrNotAtAll) {
  EXPECT_EQ(to_fhir_date("19800102"), "1980-01-02");
  EXPECT_EQ(to_dicom_date("1980-01-02"), "19800102");
  EXPECT_EQ(to_fhir_date("1980"), "");
  EXPECT_EQ(to_fhir_date("19801302"), "");
  EXPECT_EQ(to_dicom_date("1980-01"), "");
}

}  // namespace
}  // namespace gateway::core
