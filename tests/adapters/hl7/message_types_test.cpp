// What each type of message becomes: those that no other test names.
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using Outcome = sync::Taken::Outcome;
using ::testing::ElementsAre;

class Hl7Types : public Hl7Test {
 protected:
  /// "Type status" of what the message became but its Patient, sorted.
  std::vector<std::string> became(const sync::Taken& taken) {
    std::vector<std::string> all;
    const std::string held =
        text(cat("SELECT group_concat(type || ' ' || coalesce(json_extract(CAST(v.body AS TEXT),"
                 " '$.status'), '-')) FROM resource r JOIN resource_version v"
                 " USING (type, id, version) JOIN message m ON m.number = ",
                 taken.number, " WHERE type <> 'Patient' AND instr(m.became, type || '/' || id)"));
    for (std::size_t at = 0; at < held.size();) {
      const std::size_t end = std::min(held.find(',', at), held.size());
      all.push_back(held.substr(at, end - at));
      at = end + 1;
    }
    std::sort(all.begin(), all.end());
    return all;
  }
};

struct Case {
  std::string type;
  std::string segments;
  std::vector<std::string> became;
};

const std::string kVisit = cat("PV1|1|I|W^R^B", std::string(16, '|'), "V1^^^HOSP\r");
const std::string kTimes = "|||||||||^^^20260401090000+0200^20260401093000+0200\r";
const std::string kGrouped =
    "OBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100||||||||||||||||||F\rORC|RE|PL1|FI1\r"
    "SPM|1|S1||SER\rOBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|||||F\r"
    "OBR|2|PL2|FI2|24325-3^Liver^LN|||20260301090000+0100||||||||||||||||||F\rORC|RE|PL2|FI2\r"
    "SPM|2|S2||SER\rOBX|1|NM|1742-6^ALT^LN||31|U/L|||||F\r";

TEST_F(Hl7Types, EachBecomesWhatItTells) {
  const Case cases[] = {
      {"ADT^A05", kVisit, {"Encounter planned"}},
      {"ADT^A06", kVisit, {"Encounter in-progress"}},
      {"ADT^A07", kVisit, {"Encounter in-progress"}},
      {"ADT^A13", kVisit, {"Encounter in-progress"}},
      {"OMG^O19", "ORC|NW|A\rOBR|1|A||36643-5^Chest^LN\r", {"ServiceRequest active"}},
      {"OUL^R24",
       kGrouped,
       {"DiagnosticReport preliminary", "DiagnosticReport preliminary", "Observation preliminary",
        "Observation preliminary", "Specimen -", "Specimen -"}},
      {"SIU^S14", "SCH|A1|B1" + kTimes, {"Appointment booked"}},
      // 6.2 million years.
      {"SIU^S12",
       "SCH|A1|B1|||||||3260301100000|MIN|^^^20260401090000+0200\r",
       {"Appointment proposed"}},
      {"SIU^S16", "SCH|A1|B1" + kTimes, {"Appointment cancelled"}},
      {"SIU^S17", "SCH|A1|B1" + kTimes, {"Appointment entered-in-error"}},
      {"MDM^T01", "TXA|1|CN||||||||||D1\r", {"DocumentReference current"}},
      {"REF^I12", "RF1||R||||R1\r", {"ServiceRequest active"}},
      {"REF^I12", "RF1|P|R||||R1\r", {"ServiceRequest active"}},
      {"REF^I12", "RF1|R^Rejected|R||||R1\r", {"ServiceRequest revoked"}},
      {"REF^I13", "RF1|E|R||||R1\r", {"ServiceRequest revoked"}},
      {"REF^I13", "RF1||R||||R1\r", {"ServiceRequest active"}},
  };
  int number = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(cat(one.type, " ", one.segments));
    const std::string id = cat("T", ++number);
    const auto taken =
        take(cat(header(one.type, id), "PID|1||", id, "^^^^MR||Roe^Jane\r", one.segments));
    EXPECT_EQ(taken.outcome, Outcome::stored) << taken.reason;
    EXPECT_EQ(resources("Patient"), number);
    EXPECT_EQ(became(taken), one.became);
  }
}

TEST_F(Hl7Types, AResultOfR24IsOfItsOwnOrderAndSpecimen) {
  take(cat(header("OUL^R24", "1"), kPid, kGrouped));
  EXPECT_EQ(
      count("SELECT count(*) FROM resource r JOIN resource_version v USING (type, id, version)"
            " JOIN resource o ON json_extract(CAST(v.body AS TEXT), '$.result[0].reference')"
            " = 'Observation/' || o.id JOIN resource_version w ON w.type = o.type AND w.id ="
            " o.id AND w.version = o.version WHERE r.type = 'DiagnosticReport'"
            " AND json_extract(CAST(v.body AS TEXT), '$.specimen[0].reference')"
            " = json_extract(CAST(w.body AS TEXT), '$.specimen.reference')"),
      2);
}

TEST_F(Hl7Types, AnUpdateThatIsSilentLeavesAReferralWhereItStands) {
  take(cat(header("REF^I12", "1"), kPid, "RF1|R|R||||R1\r"));
  const auto silent =
      take(cat(header("REF^I13", "2", "20260301111500+0100"), kPid, "RF1||S||||R1\r"));
  EXPECT_THAT(became(silent), ElementsAre("ServiceRequest revoked"));
  EXPECT_EQ(resource("ServiceRequest")["priority"].text(), "stat");
}

TEST_F(Hl7Types, TransferAndItsTakingBackAreOfTheSameVisit) {
  take(cat(header("ADT^A05", "1", "20260301101500+0100"), kPid, kVisit));
  take(cat(header("ADT^A01", "2", "20260301111500+0100"), kPid, kVisit));
  const auto out = take(cat(header("ADT^A03", "3", "20260301121500+0100"), kPid, kVisit));
  EXPECT_THAT(became(out), ElementsAre("Encounter finished"));
  const auto back = take(cat(header("ADT^A13", "4", "20260301131500+0100"), kPid, kVisit));
  EXPECT_THAT(became(back), ElementsAre("Encounter in-progress"));
}

}  // namespace
}  // namespace gateway::adapters::hl7
