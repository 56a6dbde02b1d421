// Which segment belongs to which: several patients, orders and groups in one message, and what
// stands between the segments.
#include <gmock/gmock.h>

#include "adapters/hl7/character_set.h"
#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;

constexpr std::size_t kFirst = 0;

class Hl7Structures : public Hl7Test {
 protected:
  static std::string result(std::string_view value, std::string_view flag,
                            std::string_view more = "F") {
    return cat("OBX|1|NM|2823-3^K^LN||", value, "|mmol/L||", flag, "|||", more, "\r");
  }
  static std::string order(std::string_view control, std::string_view id, std::string_view test) {
    return cat("ORC|", control, "|", id, "\rOBR|1|", id, "||", test, "\r");
  }
  std::vector<std::string> all(const std::string& type, const std::string& element) {
    std::vector<std::string> found;
    for (std::int64_t i = 0; i < resources(type); ++i)
      found.push_back(text(cat(
          "SELECT json_extract(CAST(v.body AS TEXT), '$.", element,
          "') FROM resource r JOIN resource_version v USING (type, id, version) WHERE r.type = '",
          type, "' ORDER BY 1 LIMIT 1 OFFSET ", i)));
    return found;
  }
};

TEST_F(Hl7Structures, WhatIsOfSeveralPatientsGoesToNobody) {
  const auto taken =
      take(cat(header("SIU^S12", "1"), "SCH|A1|B1\r", kPid, "PID|2||P2^^^^MR||Poe^John\r"));
  EXPECT_EQ(taken.outcome, Outcome::dead);
  EXPECT_THAT(taken.answer, HasSubstr("MSA|AE|1"));
  EXPECT_EQ(resources("Appointment"), 0);
}

TEST_F(Hl7Structures, SusceptibilitiesOfTwoOrganismsAreTwoResults) {
  const auto group = [](std::string_view organism, std::string_view verdict) {
    return cat("OBR|2|PL1|FI1|29576-6^Susc^LN|||20260301090000+0100|||||||||||||||||||600-7&C&LN^",
               organism, "\rOBX|1|ST|18864-9^Ampicillin^LN||", verdict, "||||||F\r");
  };
  EXPECT_EQ(take(cat(header("ORU^R01", "1"), kPid, group("1", "R"), group("2", "S"))).outcome,
            Outcome::stored);
  EXPECT_EQ(all("Observation", "valueString"), (std::vector<std::string>{"R", "S"}));
  const std::string twice = "OBR|1|PL2|FI2|K|||20260302090000+0100\r";
  take(cat(header("ORU^R01", "2"), kPid, twice, result("4.1", ""), twice, result("4.2", "")));
  EXPECT_EQ(resources("Observation"), 4) << "replicates under one order";
}

TEST_F(Hl7Structures, EachOrderHasItsOwnSpecimenAndItsOwnUrgency) {
  const auto spm = [](std::string_view id) { return cat("SPM|1|", id, "||SER\r"); };
  EXPECT_EQ(
      take(cat(header("OML^O33", "1"), kPid, spm("S1"), "ORC|NW|A\rTQ1|||||||||R\rOBR|1|A||GLU\r",
               spm("S2"), "ORC|NW|B\rTQ1|||||||||S\rOBR|1|B||LAC\r"))
          .outcome,
      Outcome::stored);
  EXPECT_EQ(resources("Specimen"), 2);
  EXPECT_EQ(all("ServiceRequest", "priority"), (std::vector<std::string>{"routine", "stat"}));
  const auto specimens = all("ServiceRequest", "specimen[0].reference");
  ASSERT_EQ(specimens.size(), 2U);
  EXPECT_NE(specimens[0], specimens[1]);
  EXPECT_FALSE(specimens[0].empty());
}

TEST_F(Hl7Structures, BehindItsOrderAnOrcIsOfThatOrder) {
  take(cat(header("OUL^R22", "1"), kPid, "SPM|1|S1||SER\rOBR|1|||K\rORC|RE|A\r", result("4.1", ""),
           "OBR|2|||NA\rORC|RE|B\r", result("4.2", "")));
  EXPECT_EQ(all("DiagnosticReport", "identifier[0].value"), (std::vector<std::string>{"A", "B"}));
}

TEST_F(Hl7Structures, EarlierResultsQuotedInAnOrderAreNoOrders) {
  EXPECT_EQ(take(cat(header("OML^O21", "1"), kPid, order("NW", "A", "GLU"), kPid,
                     order("PR", "OLD", "HBA1C"), result("6.1", ""), order("NW", "B", "LAC")))
                .outcome,
            Outcome::stored);
  EXPECT_EQ(all("ServiceRequest", "identifier[0].value"), (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(resources("Observation"), 0);
}

TEST_F(Hl7Structures, AnOrderIsStoppedByItsOrcAloneAndWithAllOfItsTests) {
  take(cat(header("ORM^O01", "1"), kPid, order("NW", "A", "GLU")));
  EXPECT_EQ(take(cat(header("ORM^O01", "2"), kPid, "ORC|DC|A\r")).outcome, Outcome::stored);
  EXPECT_EQ(all("ServiceRequest", "status"), std::vector<std::string>{"revoked"});
  EXPECT_EQ(take(cat(header("ORM^O01", "3"), kPid, "ORC|DC|NEVER-SEEN\r")).outcome,
            Outcome::unassigned);
  const std::string both = "OBR|1|C||GLU\rOBR|2|D||LAC\r";
  take(cat(header("ORM^O01", "4"), kPid, "ORC|NW|C\r", both));
  take(cat(header("ORM^O01", "5"), kPid, "ORC|DC|C\r", both));
  EXPECT_EQ(all("ServiceRequest", "status"),
            (std::vector<std::string>{"revoked", "revoked", "revoked"}));
}

TEST_F(Hl7Structures, TestsUnderOneOrderNumberStayApart) {
  const std::string both = "ORC|NW|A\rOBR|1|A||GLU\rOBR|2|A||LAC\r";
  take(cat(header("OML^O21", "1"), kPid, both));
  EXPECT_EQ(resources("ServiceRequest"), 2);
  take(cat(header("OML^O21", "2"), kPid, "ORC|DC|A\rOBR|1|A||GLU\r"));
  EXPECT_EQ(all("ServiceRequest", "status"), (std::vector<std::string>{"active", "revoked"}));
}

TEST_F(Hl7Structures, AFlagIsOfTheValueItWasSentWith) {
  const std::string group = cat(kPid, "OBR|1|PL1|FI1|K|||20260301090000+0100\r");
  take(cat(header("ORU^R01", "1"), group, result("4.1", "N")));
  take(cat(header("ORU^R01", "2", "20260301111500+0100"), group, result("7.9", "", "C")));
  EXPECT_TRUE(resource("Observation")["interpretation"].is_null());
  take(cat(header("ORU^R01", "3", "20260301121500+0100"), group, result("\"\"", "", "C")));
  EXPECT_TRUE(resource("Observation")["valueQuantity"].is_null()) << "the sender deleted it";
}

TEST_F(Hl7Structures, WhatWasCancelledAndIsMeasuredAfterAllIsAResult) {
  const std::string group = cat(kPid, "OBR|1|PL1|FI1|K|||20260301090000+0100\r");
  take(cat(header("ORU^R01", "1"), group, "OBX|1|NM|2823-3^K^LN||||||||X\r"));
  EXPECT_EQ(resource("Observation")["status"].text(), "cancelled");
  take(cat(header("ORU^R01", "2", "20260301111500+0100"), group, result("4.1", "")));
  EXPECT_EQ(resource("Observation")["status"].text(), "preliminary");
  EXPECT_EQ(resource("Observation")["valueQuantity"]["value"].number_text(), "4.1");
}

TEST_F(Hl7Structures, AnUnescapedPowerOfTenIsAUnit) {
  take(cat(header("ORU^R01", "1"), kPid,
           "OBR|1|A||WBC\rOBX|1|NM|6690-2^WBC^LN||7.2|10^3/uL|||||F\r"));
  EXPECT_EQ(resource("Observation")["valueQuantity"]["unit"].text(), "10^3/uL");
}

TEST_F(Hl7Structures, APdfMayBeWrappedAndAReportMayHaveEmptyLines) {
  take(cat(header("ORU^R01", "1"), kPid, "OBR|1|A||REP\r",
           "OBX|1|ED|11502-2^PDF^LN||^application^pdf^Base64^JVBERi0x\r\nLjQKJcOkw7z\r\nDtsOfCg==||"
           "||||F\r\n"));
  EXPECT_FALSE(resource("Observation")["extension"].is_null());
  EXPECT_TRUE(resource("Observation")["valueString"].is_null());
  const Json form = resource("DiagnosticReport")["presentedForm"][kFirst];
  EXPECT_EQ(form["contentType"].text(), "application/pdf");
  EXPECT_EQ(form["data"].text(), "JVBERi0xLjQKJcOkw7zDtsOfCg==");
  take(cat(header("ORU^R01", "2"), "PID|1||P9^^^^MR||Poe^Ann\r", "OBR|1|B||TXT\r",
           "OBX|1|TX|22637-3^Report^LN||One\n\nTwo||||||F\r"));
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE CAST(body AS TEXT) LIKE '%Two%'"
                  " AND type = 'Observation'"),
            1);
}

TEST_F(Hl7Structures, OfAReportAndItsCorrectionTheCorrectionIsPresented) {
  const auto report = [](std::string_view data, std::string_view status) {
    return cat("OBX|1|ED|11502-2^PDF^LN||^application^pdf^Base64^", data, "||||||", status, "\r");
  };
  take(cat(header("ORU^R01", "1"), kPid, "OBR|1|A||REP\r", report("QUFB", "F"),
           report("QkJC", "C")));
  const Json forms = resource("DiagnosticReport")["presentedForm"];
  ASSERT_EQ(forms.size(), 1U);
  EXPECT_EQ(forms[kFirst]["data"].text(), "QkJC");
  take(cat(header("ORU^R01", "2", "20260301111500+0100"), "PID|1||P9^^^^MR||Poe^Ann\r",
           "OBR|1|B||REP\r", report("Q0ND", "X")));
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'DiagnosticReport'"
                  " AND CAST(body AS TEXT) LIKE '%Q0ND%'"),
            0);
}

TEST_F(Hl7Structures, ADocumentThatIsWithdrawnLeavesTheReport) {
  const auto report = [](std::string_view status) {
    return cat("OBX|1|ED|11502-2^PDF^LN||^application^pdf^Base64^QUFB||||||", status, "\r");
  };
  const std::string group = cat(kPid, "OBR|1|PL1|FI1|REP|||20260301090000+0100\r");
  take(cat(header("ORU^R01", "1"), group, report("F")));
  ASSERT_EQ(resource("DiagnosticReport")["presentedForm"].size(), 1U);
  take(cat(header("ORU^R01", "2", "20260301111500+0100"), group, report("W")));
  EXPECT_EQ(resource("Observation")["status"].text(), "entered-in-error");
  EXPECT_TRUE(resource("DiagnosticReport")["presentedForm"].is_null());
}

TEST_F(Hl7Structures, EachVaccineIsItsOwn) {
  take(cat(header("VXU^V04", "1"), kPid, "ORC|RE||F1\rRXA|0|1|20260301||03^MMR^CVX|0.5|mL\r",
           "RXA|0|1|20260301||08^HepB^CVX|0.5|mL\r",
           "ORC|RE||9999\rRXA|0|1|20260301||20^DTaP^CVX|999\r",
           "ORC|RE||9999\rRXA|0|1|20260301||94^MMRV^CVX|999\r"));
  EXPECT_EQ(resources("Immunization"), 4);
}

TEST_F(Hl7Structures, ANumberIsOfTheUsualIssuerOnlyWhereItIsARecordNumber) {
  take(cat(header("ADT^A28", "1"), "PID|1||P1^^^^MR~P1^^^^SS~N7^^^REG&2.25.7&ISO^NI||Roe^Jane\r"));
  EXPECT_TRUE(resource("Patient")["identifier"][1]["system"].is_null());
  EXPECT_EQ(take(cat(header("ADT^A28", "2"), "PID|1||N7^^^REG&2.25.7&ISO^NI||Roe^Jane\r")).outcome,
            Outcome::stored)
      << "a nation's number names a person";
  EXPECT_EQ(resources("Patient"), 1);
}

TEST_F(Hl7Structures, DeadByMistakeIsTakenBack) {
  take(cat(header("ADT^A31", "1"), "PID|1||P1^^^^MR||Roe^Jane|||||||||||||||||||||||||Y\r"));
  EXPECT_TRUE(resource("Patient")["deceasedBoolean"].boolean());
  take(cat(header("ADT^A31", "2", "20260301111500+0100"),
           "PID|1||P1^^^^MR||Roe^Jane|||||||||||||||||||||||||\"\"\r"));
  EXPECT_TRUE(resource("Patient")["deceasedBoolean"].is_null());
}

TEST(Hl7CharacterSets, AJapaneseSenderNamesTheSetItSwitchesToLast) {
  for (const char* sets : {"~ISO IR87", "ASCII~ISO IR87"}) {
    const auto read = decode_text(
        cat("MSH|^~\\&|A|B|C|D|1||ADT^A08|1|P|2.5||||||", sets, "\rPID|1||P1||\x1b$B;3ED\x1b(B\r"),
        "");
    EXPECT_THAT(read.utf8, HasSubstr("\xe5\xb1\xb1\xe7\x94\xb0")) << sets;
  }
}

}  // namespace
}  // namespace gateway::adapters::hl7
