// What messages tell of orders, specimens, results, vaccinations, appointments and documents beside
// their codes and values (v2-to-FHIR IG, ORC, OBR, OBX, NTE, SPM, TQ1, RXA, SCH and TXA).
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using Outcome = sync::Taken::Outcome;

constexpr std::size_t kFirst = 0;
constexpr std::size_t kSecond = 1;

class Hl7OrderDetails : public Hl7Test {
 protected:
  void stored(std::string message) {
    const sync::Taken taken = take(std::move(message));
    EXPECT_EQ(taken.outcome, Outcome::stored) << taken.reason;
  }
};

TEST_F(Hl7OrderDetails, AnOrderIsOfWhomTheControlNamesAndWantedWhenAnythingSaysSo) {
  stored(cat(header("OML^O21", "1"), kPid, "ORC|NW|A1||||||||||77^Gil^Eva\r",
             "TQ1|1||||||||R||with an empty stomach\r",
             "OBR|1|A1||GLU||20260302080000+0100|||||||||| 88^Lab^Robin\r"));
  const Json order = resource("ServiceRequest");
  EXPECT_EQ(order["requester"]["display"].text(), "Eva Gil");
  EXPECT_EQ(order["occurrenceDateTime"].text(), "2026-03-02T08:00:00+01:00") << "TQ1-7 is empty";
  EXPECT_EQ(order["note"].dump(), R"([{"text":"with an empty stomach"}])");
  stored(
      cat(header("ORM^O01", "2"), kPid, "ORC|NW|A2|||||^^^20260303090000+0100^^S\rOBR|1|A2||NA\r"));
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'ServiceRequest' AND"
                  " CAST(body AS TEXT) LIKE '%2026-03-03T09:00:00+01:00%'"
                  " AND CAST(body AS TEXT) LIKE '%\"priority\":\"stat\"%'"),
            1)
      << "ORC-7, of senders that know no TQ1";
}

TEST_F(Hl7OrderDetails, ASpecimenTellsWhoTookItHowMuchAndInWhat) {
  stored(cat(header("ORU^R01", "1"), kPid, "OBR|1|A1||K^^L||||||77^Gil^Eva\r",
             "OBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r",
             "SPM|1|S1||SER^Serum|||||||| 5^mL&milliliter&UCUM||drawn twice|||20260301090000+0100|"
             "20260301093000+0100||N|||||||T1^Red top|||ACC7\r"));
  const Json specimen = resource("Specimen");
  EXPECT_EQ(specimen["collection"]["collector"]["display"].text(), "Eva Gil");
  EXPECT_EQ(specimen["collection"]["quantity"].dump(),
            R"({"value":5,"unit":"mL","system":"http://unitsofmeasure.org","code":"mL"})");
  EXPECT_EQ(specimen["note"].dump(), R"([{"text":"drawn twice"}])");
  EXPECT_EQ(specimen["status"].text(), "unavailable");
  EXPECT_EQ(specimen["container"][kFirst]["type"]["text"].text(), "Red top");
  EXPECT_EQ(specimen["accessionIdentifier"].dump(),
            R"({"system":"urn:clinic-gateway:device:lab:accession","value":"ACC7"})")
      << "not of the patients' issuer";
}

TEST_F(Hl7OrderDetails, WithoutASpecimenSegmentTheOrderTellsIt) {
  stored(cat(header("ORU^R01", "1"), kPid,
             "OBR|1|A1||GLU|||20260301090000+0100||10^mL|77^Gil^Eva||||20260301093000+0100|"
             "UR&Urine^^midstream^BLD&Bladder\rOBX|1|NM|2345-7^Glucose^LN||5|mmol/L|||||F\r"));
  const Json specimen = resource("Specimen");
  EXPECT_EQ(specimen["type"]["text"].text(), "Urine");
  EXPECT_EQ(specimen["collection"]["collectedDateTime"].text(), "2026-03-01T09:00:00+01:00");
  EXPECT_EQ(specimen["collection"]["bodySite"]["text"].text(), "Bladder");
  EXPECT_EQ(specimen["receivedTime"].text(), "2026-03-01T09:30:00+01:00");
  EXPECT_EQ(specimen["note"].dump(), R"([{"text":"midstream"}])");
  const std::string reference = cat("Specimen/", specimen["id"].text());
  EXPECT_EQ(resource("Observation")["specimen"]["reference"].text(), reference);
  EXPECT_EQ(resource("DiagnosticReport")["specimen"][kFirst]["reference"].text(), reference);
  // Sent again it is the same.
  stored(cat(header("ORU^R01", "2"), kPid,
             "OBR|1|A1||GLU|||20260301090000+0100||10^mL|77^Gil^Eva||||20260301093000+0100|"
             "UR&Urine^^midstream^BLD&Bladder\rOBX|1|NM|2345-7^Glucose^LN||5|mmol/L|||||F\r"));
  EXPECT_EQ(resources("Specimen"), 1);
}

TEST_F(Hl7OrderDetails, ARemarkHasItsAuthorAndItsTimeAndAReaderAnId) {
  stored(cat(header("ORU^R01", "1"), kPid, "OBR|1|A1||K", std::string(28, '|'),
             "77&Gil&Eva&&&Dr.\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F||||LAB1^Old laboratory\r"
             "NTE|1||haemolysed||88^Poe^Ann|20260301100500+0100\r"));
  const Json result = resource("Observation");
  EXPECT_EQ(result["note"].dump(),
            R"([{"authorReference":{"type":"Practitioner","identifier":{"system":)"
            R"("urn:clinic-gateway:device:lab:staff","value":"88"},"display":"Ann Poe"},)"
            R"("time":"2026-03-01T10:05:00+01:00","text":"haemolysed"}])");
  EXPECT_EQ(result["performer"][kFirst]["display"].text(), "Old laboratory");
  const Json reader = resource("DiagnosticReport")["resultsInterpreter"][kFirst];
  EXPECT_EQ(reader["display"].text(), "Dr. Eva Gil");
  EXPECT_EQ(reader["identifier"]["value"].text(), "77");
}

TEST_F(Hl7OrderDetails, AVaccinationTellsWhereByWhomAndWhoOrderedIt) {
  stored(
      cat(header("VXU^V04", "1"), kPid, "ORC|RE|9999|F1|||||||||88^Poe^Ann\r",
          "RXA|0|1|20260301||03^MMR^CVX|0.5|mL||00^New^NIP001|77^Gil^Eva|^^^Clinic South||||L1|||",
          "|W1^Wound\r"));
  const Json shot = resource("Immunization");
  EXPECT_EQ(shot["identifier"].size(), 1U) << "9999 is no number";
  EXPECT_EQ(shot["location"]["display"].text(), "Clinic South");
  EXPECT_EQ(shot["performer"][kFirst]["function"]["coding"][kFirst]["code"].text(), "AP");
  EXPECT_EQ(shot["performer"][kFirst]["actor"]["display"].text(), "Eva Gil");
  EXPECT_EQ(shot["performer"][kSecond]["function"]["coding"][kFirst]["code"].text(), "OP");
  EXPECT_EQ(shot["reasonCode"][kFirst]["text"].text(), "Wound");
}

TEST_F(Hl7OrderDetails, AnAppointmentLastsAsLongAsItsServiceWhereItsOwnUnitIsSeconds) {
  stored(cat(header("SIU^S12", "1"), "SCH|A1|B1|||||||60|s\rNTE|1||bring the old films\r", kPid,
             "RGS|1\rAIS|1|A|X^Scan|20260401090000+0200|||50|min\rNTE|1||for the staff\r"));
  const Json booked = resource("Appointment");
  EXPECT_EQ(booked["minutesDuration"].integer(), 50);
  EXPECT_EQ(booked["comment"].text(), "bring the old films");
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE code = 'NTE'"), 1);
}

TEST_F(Hl7OrderDetails, ADocumentTellsWhatItIsWhoMaySeeItAndOfWhichVisitItIs) {
  stored(cat(header("MDM^T02", "1"), kPid, "PV1|1|I", std::string(17, '|'), "V1^^^HOSP\r",
             "TXA|1|DS|TX", std::string(9, '|'), "DOC1|||||AU|R\rOBX|1|TX|a||text\r"));
  const Json document = resource("DocumentReference");
  EXPECT_EQ(document["type"]["coding"][kFirst]["system"].text(),
            "http://terminology.hl7.org/CodeSystem/v2-0270");
  EXPECT_EQ(document["securityLabel"][kFirst]["coding"][kFirst]["code"].text(), "R");
  EXPECT_EQ(document["context"]["encounter"][kFirst]["identifier"]["value"].text(), "V1");
}

}  // namespace
}  // namespace gateway::adapters::hl7
