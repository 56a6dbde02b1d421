// What a message tells of a patient besides who it is (v2-to-FHIR IG, PID[Patient], PD1[Patient],
// NK1[Patient] and the data types they hold).
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kFirst = 0;
constexpr std::size_t kSecond = 1;

class Hl7PatientDetails : public Hl7Test {
 protected:
  /// Of a PID with these fields behind PID-3, from PID-5 on.
  Json patient(std::string_view fields, std::string_view more = "") {
    const std::string id = std::to_string(++messages_);
    EXPECT_EQ(
        take(cat(header("ADT^A28", id), "PID|1||D", id, "^^^^MR||", fields, "\r", more)).outcome,
        Outcome::stored);
    return parsed(
        text(cat("SELECT CAST(body AS TEXT) FROM resource_version WHERE"
                 " CAST(body AS TEXT) LIKE '%\"value\":\"D",
                 id, "\"%' ORDER BY version DESC LIMIT 1")));
  }
  static Json parsed(const std::string& body) {
    auto json = Json::parse(body);
    EXPECT_TRUE(json.ok()) << body;
    return json.ok() ? *json : Json();
  }
  /// PID-5 and as many empty fields as lie before PID-`number`, which is `value`.
  static std::string with(std::size_t number, std::string_view value) {
    return cat("Roe^Jane", std::string(number - 5, '|'), value);
  }
  int messages_ = 0;
};

TEST_F(Hl7PatientDetails, AnAddressKeepsItsStreetItsCountyAndItsTime) {
  const Json made = patient(with(11,
                                 "12&Long Lane^Flat 3^Reus^^43201^ES^H^^T43&Tarragona^^^"
                                 "20200101&20250630^^^^^^^c/o Poe"));
  EXPECT_EQ(made["address"].dump(),
            R"([{"use":"home","line":["12","Long Lane","Flat 3","c/o Poe"],"city":"Reus",)"
            R"("district":"Tarragona","postalCode":"43201","country":"ES",)"
            R"("period":{"start":"2020-01-01","end":"2025-06-30"}}])");
  // The street's name and number are told once more by senders who told them already.
  EXPECT_EQ(patient(with(11, "Long Lane 12&Long Lane&12^^Reus"))["address"][kFirst]["line"].dump(),
            R"(["Long Lane 12"])");
  EXPECT_EQ(patient(with(11, "1 High St^^Reus^^^^H|T43"))["address"][kFirst]["district"].text(),
            "T43");
}

TEST_F(Hl7PatientDetails, ANumberIsTheOneOfItsEquipmentWithItsExtension) {
  const auto telecom = [&](std::string_view field) {
    return patient(with(13, field))["telecom"][kFirst];
  };
  // XTN-4 beside a telephone is no mail.
  EXPECT_EQ(telecom("555^^CP^77^^^1111^^^^^2222^20200101^20251231^^^^2").dump(),
            R"({"system":"phone","value":"2222","use":"mobile","rank":2,)"
            R"("period":{"start":"2020-01-01","end":"2025-12-31"}})");
  EXPECT_EQ(telecom("^NET^Internet^a@example.org")["system"].text(), "email");
  EXPECT_EQ(telecom("^^^a@example.org")["system"].text(), "email");
  EXPECT_EQ(telecom("^PRN^PH^^34^91^5551234^12")["value"].text(), "+34 91 5551234 X12");
  EXPECT_EQ(telecom("915551234^PRN^PH^^^^5551234")["value"].text(), "915551234");
  EXPECT_EQ(telecom("^PRN^PH^^^^5551234^7")["value"].text(), "5551234 X7");
  EXPECT_EQ(patient(with(40, "^PRS^CP^^^^^^^^^600111222"))["telecom"][kFirst]["value"].text(),
            "600111222");
}

TEST_F(Hl7PatientDetails, ANameWhoseTimeIsOverIsAnOldOne) {
  const Json made =
      patient("Poe^Jane^^^^^L^^^^^20000101^20101231~Roe^Jane^^^^^D^^^^^20110101^^^Jay");
  EXPECT_EQ(made["name"].dump(),
            R"([{"use":"usual","family":"Roe","given":["Jane"],"period":{"start":"2011-01-01"}},)"
            R"({"use":"nickname","given":["Jay"]},)"
            R"({"use":"old","family":"Poe","given":["Jane"],)"
            R"("period":{"start":"2000-01-01","end":"2010-12-31"}}])");
  // The name she goes by is the one she is recognised by.
  EXPECT_EQ(take(cat(header("ORU^R01", "99"),
                     "PID|1||D1^^^^MR||Roe^Jane\rOBR|1|||K\r"
                     "OBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r"))
                .outcome,
            Outcome::stored);
  EXPECT_EQ(patient("Poe^Ann^^^^^L^^^^^20000101^20101231")["name"][kFirst]["use"].text(),
            "official")
      << "there is no other";
  EXPECT_TRUE(patient("Poe^Ann^^^^^L^^^^^20101231^20000101")["name"][kFirst]["period"].is_null())
      << "FHIR refuses a period that ends before it begins";
}

TEST_F(Hl7PatientDetails, WhatSomebodyIsCalledByTakesNoNamesPlace) {
  EXPECT_EQ(patient("Poe^Ann^^^^^L^^^^^20000101^20101231^^Jay")["name"].dump(),
            R"([{"use":"official","family":"Poe","given":["Ann"],)"
            R"("period":{"start":"2000-01-01","end":"2010-12-31"}},)"
            R"({"use":"nickname","given":["Jay"]}])")
      << "there is no name that is not over";
}

TEST_F(Hl7PatientDetails, AnIdOrANameLastsAsLongAsTheYearItEndsWith) {
  const Json made = patient("Roe^Jane^^^^^L^^^^^2000^2026");
  EXPECT_EQ(made["name"][kFirst]["use"].text(), "official");
  take(cat(header("ADT^A28", "98"), "PID|1||Y1^^^^MR^^^2026||Doe^Jim\r"));
  take(cat(header("ORU^R01", "99"),
           "PID|1||Y1^^^^MR^^^2026||Doe^Jim\rOBR|1|||K\r"
           "OBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r"));
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Patient'"), 2);
}

TEST_F(Hl7PatientDetails, ABirthIsToldToTheMinuteAndWhichOfSeveralItWas) {
  const Json twin = patient("Roe^Baby||20260228231500+0100|F" + std::string(16, '|') + "Y|2");
  EXPECT_EQ(twin["birthDate"].text(), "2026-02-28");
  EXPECT_EQ(twin["_birthDate"].dump(),
            R"({"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime",)"
            R"("valueDateTime":"2026-02-28T23:15:00+01:00"}]})");
  EXPECT_EQ(twin["multipleBirthInteger"].integer(), 2);
  EXPECT_TRUE(twin["multipleBirthBoolean"].is_null()) << "the two exclude each other";
  EXPECT_FALSE(patient(with(24, "N|1"))["multipleBirthBoolean"].is_null()) << "the first of one";
  EXPECT_TRUE(patient("Roe^Baby||20260228000000+0100|F")["_birthDate"].is_null())
      << "midnight is how senders fill up a day";
  EXPECT_TRUE(patient(with(30, "YES"))["deceasedBoolean"].boolean());
  EXPECT_TRUE(patient(with(30, "no"))["deceasedBoolean"].is_bool());
}

TEST_F(Hl7PatientDetails, AnUpdateLeavesNoSecondBirthAndNoTimeOfAnotherDay) {
  take(cat(header("ADT^A28", "1"), "PID|1||P1^^^^MR||Roe^Jane||198001021530+0100|F",
           std::string(16, '|'), "Y\r"));
  EXPECT_TRUE(resource("Patient")["multipleBirthBoolean"].boolean());
  take(cat(header("ADT^A31", "2", "20260301111500+0100"), "PID|1||P1^^^^MR||Roe^Jane||19800102|F",
           std::string(17, '|'), "1\r"));
  EXPECT_EQ(resource("Patient")["multipleBirthInteger"].integer(), 1);
  EXPECT_TRUE(resource("Patient")["multipleBirthBoolean"].is_null());
  EXPECT_TRUE(resource("Patient")["_birthDate"].is_null());
}

TEST_F(Hl7PatientDetails, MarriageAndLanguageAreCodesOfFhirBesideWhatWasSent) {
  const Json made = patient(with(15, "EN-us^English^HL70296|A^Separated"));
  EXPECT_EQ(made["maritalStatus"].dump(),
            R"({"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",)"
            R"("code":"L"},{"system":"http://terminology.hl7.org/CodeSystem/v2-0002","code":"A",)"
            R"("display":"Separated"}]})");
  EXPECT_EQ(made["communication"].dump(),
            R"([{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en-US"},)"
            R"({"system":"http://terminology.hl7.org/CodeSystem/v2-0296","code":"EN-us",)"
            R"("display":"English"}],"text":"English"}}])");
  EXPECT_EQ(patient(with(15, "sw"))["communication"].dump(),
            R"([{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"sw"}]}}])");
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap"), 0);
}

TEST_F(Hl7PatientDetails, WhomToCallIsAContactWithRoleAndEveryNumber) {
  const Json made = patient("Roe^Jane",
                            "NK1|1|Roe^Ann|MTH^Mother|1 High St^^Reus|^PRN^PH^^^^111|^^PH^^^^222|"
                            "C^Emergency|20200101|||||ACME^L\r"
                            "NK1|2||SPO\r"
                            "PD1|||CLINIC SOUTH^L|77^Gil^Eva^^^Dr.\r");
  const Json mother = made["contact"][kFirst];
  EXPECT_EQ(made["contact"].size(), 1U) << "of the spouse nothing is known that FHIR could hold";
  EXPECT_EQ(mother["relationship"][kFirst]["coding"].dump(),
            R"([{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"MTH"},)"
            R"({"system":"http://terminology.hl7.org/CodeSystem/v2-0063","code":"MTH",)"
            R"("display":"Mother"}])");
  EXPECT_EQ(mother["relationship"][kSecond]["coding"][kFirst]["code"].text(), "C");
  EXPECT_EQ(mother["telecom"].dump(), R"([{"system":"phone","value":"111","use":"home"},)"
                                      R"({"system":"phone","value":"222","use":"work"}])");
  EXPECT_EQ(mother["organization"]["display"].text(), "ACME");
  EXPECT_EQ(mother["period"]["start"].text(), "2020-01-01");
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE code = 'NK1'"), 1);
  EXPECT_EQ(made["generalPractitioner"][kFirst]["display"].text(), "CLINIC SOUTH");
  EXPECT_EQ(made["generalPractitioner"][kSecond]["display"].text(), "Dr. Eva Gil");
}

TEST_F(Hl7PatientDetails, AVisitTellsWhereThePatientCameFromAndWentTo) {
  take(cat(header("ADT^A03", "1"), kPid, "PV1|1|I|W^R^B|E||||||SUR|||R|1|A6~B6",
           std::string(4, '|'), "V1^^^HOSP", std::string(17, '|'), "01|7&Nursing home\r"));
  const Json visit = resource("Encounter");
  EXPECT_EQ(visit["type"][kFirst]["coding"][kFirst]["code"].text(), "E");
  EXPECT_EQ(visit["serviceType"]["coding"][kFirst]["system"].text(),
            "http://terminology.hl7.org/CodeSystem/v2-0069");
  const Json stay = visit["hospitalization"];
  EXPECT_EQ(stay["admitSource"]["coding"][kFirst]["code"].text(), "1");
  EXPECT_EQ(stay["reAdmission"]["coding"][kFirst]["code"].text(), "R");
  EXPECT_EQ(stay["specialArrangement"][kSecond]["coding"][kFirst]["code"].text(), "B6");
  EXPECT_EQ(stay["dischargeDisposition"]["coding"][kFirst]["code"].text(), "01");
  EXPECT_EQ(stay["destination"]["display"].text(), "Nursing home");
  take(cat(header("ADT^A01", "2", "20260302101500+0100"), kPid, "PV1|1|I|W^R^B|E||||||GERI",
           std::string(9, '|'), "V2^^^HOSP\r"));
  EXPECT_EQ(text("SELECT json_extract(CAST(body AS TEXT), '$.serviceType') FROM resource_version"
                 " WHERE CAST(body AS TEXT) LIKE '%\"V2\"%'"),
            R"({"text":"GERI"})")
      << "a site's own code must not pass for the table's";
}

}  // namespace
}  // namespace gateway::adapters::hl7
