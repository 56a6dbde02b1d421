// Which visit an ADT message is about, where its sender gives visits no numbers.
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;

class Hl7Visits : public Hl7Test {
 protected:
  /// PV1-44 `begun`, PV1-45 `ended`; `number` is PV1-50.
  sync::Taken adt(std::string_view event, std::string_view id, std::string_view begun,
                  std::string_view ended = "", std::string_view number = "",
                  std::string_view pid = kPid) {
    const std::string at = cat("202603011015", core::cat(10 + ++messages_), "+0100");
    return take(cat(header(cat("ADT^", event), id, at), "EVN|", event, "|", at, "\r", pid,
                    "PV1|1|I|W^R^B", std::string(41, '|'), begun, "|", ended, std::string(5, '|'),
                    number, "\r"));
  }
  std::string visits() {
    return text(
        "SELECT group_concat(json_extract(CAST(v.body AS TEXT), '$.status'), ' ') FROM "
        "(SELECT * FROM resource WHERE type = 'Encounter' ORDER BY id) r JOIN"
        " resource_version v USING (type, id, version)");
  }
  int messages_ = 0;
};

TEST_F(Hl7Visits, EachAdmissionIsAVisitOfItsOwn) {
  EXPECT_EQ(adt("A04", "1", "").outcome, Outcome::stored);
  EXPECT_EQ(adt("A04", "2", "").outcome, Outcome::stored);
  EXPECT_EQ(resources("Encounter"), 2);
}

TEST_F(Hl7Visits, ADischargeWithoutNumberAndTimeIsOfTheOpenVisit) {
  adt("A01", "1", "20260301080000+0100");
  EXPECT_EQ(adt("A03", "2", "", "20260301100000+0100").outcome, Outcome::stored);
  EXPECT_EQ(visits(), "finished");
  EXPECT_EQ(resource("Encounter")["period"]["start"].text(), "2026-03-01T08:00:00+01:00");
  EXPECT_EQ(resource("Encounter")["period"]["end"].text(), "2026-03-01T10:00:00+01:00");
  adt("A01", "3", "20260305080000+0100");
  EXPECT_EQ(resources("Encounter"), 2);
}

TEST_F(Hl7Visits, WhichOfTwoOpenVisitsIsMeantIsNotGuessed) {
  const auto none = adt("A03", "1", "");
  EXPECT_EQ(none.outcome, Outcome::unassigned);
  EXPECT_THAT(none.reason, HasSubstr("PV1-19"));
  adt("A01", "2", "20260301080000+0100");
  adt("A01", "3", "20260302080000+0100");
  EXPECT_EQ(adt("A02", "4", "").outcome, Outcome::unassigned);
  EXPECT_EQ(adt("A03", "5", "20260302080000+0100").outcome, Outcome::stored) << "its time says it";
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'Encounter'"), 3);
}

TEST_F(Hl7Visits, TheAlternateNumberAndTheAccountNameAVisitToo) {
  const std::string pid =
      cat("PID|1||P1^^^^MR||Roe^Jane||19800102|F", std::string(10, '|'), "AC7\r");
  adt("A01", "1", "", "", "V50^^^HOSP");
  adt("A01", "2", "", "", "", pid);
  adt("A03", "3", "", "", "V50^^^HOSP");
  EXPECT_EQ(resources("Encounter"), 2);
  EXPECT_THAT(visits(), HasSubstr("finished"));
  EXPECT_THAT(visits(), HasSubstr("in-progress"));
  adt("A03", "4", "", "", "", pid);
  EXPECT_EQ(visits(), "finished finished");
}

TEST_F(Hl7Visits, AVisitThatIsNumberedLaterStaysOne) {
  const std::string pid =
      cat("PID|1||P1^^^^MR||Roe^Jane||19800102|F", std::string(10, '|'), "AC7\r");
  adt("A01", "1", "20260301080000+0100");
  adt("A02", "2", "20260301080000+0100", "", "", pid);
  adt("A03", "3", "20260301080000+0100", "20260301100000+0100", "V50^^^HOSP");
  EXPECT_EQ(visits(), "finished");
}

TEST_F(Hl7Visits, AnotherNumberOfThePatientNamesNoVisit) {
  adt("A01", "1", "20260301080000+0100", "", "P1^^^HOSP^MR");
  adt("A01", "2", "20260305080000+0100", "", "P1^^^HOSP^MR");
  EXPECT_EQ(resources("Encounter"), 2);
}

TEST_F(Hl7Visits, ACancelledDischargeTakesItsEndBack) {
  adt("A01", "1", "20260301080000+0100");
  adt("A03", "2", "", "20260301100000+0100");
  EXPECT_EQ(adt("A13", "3", "").outcome, Outcome::stored);
  EXPECT_EQ(visits(), "in-progress");
  EXPECT_EQ(resource("Encounter")["period"]["start"].text(), "2026-03-01T08:00:00+01:00");
  EXPECT_TRUE(resource("Encounter")["period"]["end"].is_null());
}

TEST_F(Hl7Visits, ADischargeKeepsWhereThePatientCameFrom) {
  const auto stay = [&](std::string_view event, std::string_view id, std::string_view source,
                        std::string_view left_to) {
    const std::string at = cat("202603011015", id, "+0100");
    take(cat(header(cat("ADT^", event), id, at), "EVN|", event, "|", at, "\r", kPid, "PV1|1|I|W",
             std::string(11, '|'), source, std::string(5, '|'), "V1", std::string(17, '|'), left_to,
             "\r"));
  };
  stay("A01", "11", "7", "");
  stay("A03", "12", "", "01");
  const core::Json told = resource("Encounter")["hospitalization"];
  EXPECT_FALSE(told["admitSource"].is_null());
  EXPECT_FALSE(told["dischargeDisposition"].is_null());
}

TEST_F(Hl7Visits, TheDischargeThatIsCancelledIsTheLastOne) {
  adt("A01", "1", "20260301080000+0100");
  adt("A03", "2", "", "20260301100000+0100");
  adt("A01", "3", "20260305080000+0100");
  adt("A03", "4", "", "20260306100000+0100");
  adt("A13", "5", "");
  EXPECT_EQ(text("SELECT json_extract(CAST(v.body AS TEXT), '$.period.start') FROM resource r JOIN "
                 "resource_version v USING (type, id, version) WHERE type = 'Encounter' AND "
                 "json_extract(CAST(v.body AS TEXT), '$.status') = 'in-progress'"),
            "2026-03-05T08:00:00+01:00");
}

TEST_F(Hl7Visits, ADischargeThatIsRepeatedIsOfTheVisitItClosed) {
  adt("A01", "1", "20260301080000+0100");
  adt("A03", "2", "", "20260301100000+0100");
  EXPECT_EQ(adt("A03", "3", "", "20260301100000+0100").outcome, Outcome::stored);
  EXPECT_EQ(adt("A03", "4", "", "20260302100000+0100").outcome, Outcome::unassigned);
  EXPECT_EQ(visits(), "finished");
}

TEST_F(Hl7Visits, ATimeOfAdmissionNamesAVisitThatIsNotHeldYet) {
  adt("A01", "1", "20260301080000+0100");
  EXPECT_EQ(adt("A03", "2", "20260215080000+0100", "20260216080000+0100").outcome, Outcome::stored);
  EXPECT_EQ(resources("Encounter"), 2);
  EXPECT_THAT(visits(), HasSubstr("in-progress"));
}

TEST_F(Hl7Visits, AVisitThatBeganWithoutATimeIsToldItLater) {
  adt("A01", "1", "");
  adt("A03", "2", "20260301080000+0100", "20260301100000+0100");
  EXPECT_EQ(visits(), "finished");
  EXPECT_EQ(resource("Encounter")["period"]["start"].text(), "2026-03-01T08:00:00+01:00");
}

TEST_F(Hl7Visits, WhatWasAnnouncedIsNotInTheWayOfWhatGoesOn) {
  adt("A05", "1", "");
  adt("A01", "2", "");
  EXPECT_EQ(adt("A03", "3", "", "20260301100000+0100").outcome, Outcome::stored);
  EXPECT_THAT(visits(), HasSubstr("planned"));
  EXPECT_THAT(visits(), HasSubstr("finished"));
}

TEST_F(Hl7Visits, AnUpdateOfThePatientGoesThroughWhateverItSaysOfTheVisit) {
  EXPECT_EQ(adt("A08", "1", "").outcome, Outcome::stored);
  EXPECT_EQ(resources("Patient"), 1);
  EXPECT_EQ(resources("Encounter"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE what = 'segment' AND code = 'PV1'"), 1);
}

TEST_F(Hl7Visits, TheClassIsReadInEitherCase) {
  take(cat(header("ADT^A01", "1"), kPid, "PV1|1|i|W", std::string(16, '|'), "V1\r"));
  EXPECT_EQ(resource("Encounter")["class"]["code"].text(), "IMP");
}

}  // namespace
}  // namespace gateway::adapters::hl7
