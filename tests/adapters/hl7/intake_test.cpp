// What becomes of messages: identity, repeats, corrections, order of events, what waits for a
// person.
#include <gmock/gmock.h>

#include "core/ids.h"
#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::Json;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;

constexpr std::size_t kFirst = 0;

TEST_F(Hl7Test, AResultIsStoredWithItsPatientAndQueuedForTheHis) {
  const sync::Taken taken = take(oru("1", "5.0"));
  EXPECT_EQ(taken.outcome, Outcome::stored);
  EXPECT_THAT(taken.answer, HasSubstr("MSA|AA|1"));
  EXPECT_EQ(resources("Patient"), 1);
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(resources("DiagnosticReport"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'his'"), 3);
  EXPECT_EQ(count("SELECT count(*) FROM message m JOIN message_raw USING (number)"
                  " WHERE state = 'stored'"),
            1);
  const Json report = resource("DiagnosticReport");
  EXPECT_EQ(report["result"][kFirst]["reference"].text(),
            core::cat("Observation/", resource("Observation")["id"].text()));
}

TEST_F(Hl7Test, AReportGoesAfterItsPatientAndAllItsResults) {
  std::string message = oru("1", "5.0");
  message += "OBX|2|NM|2339-0^Glucose^LN||5.1|mg/dL||N|||F|||20260301090500+0100\r";
  take(message);
  std::vector<std::string> order;
  for (sync::Claim due = claim("his", 1); !due.rows.empty(); due = claim("his", 1)) {
    order.push_back(due.rows[0].subject.substr(0, due.rows[0].subject.find('/')));
    sync::Verdict done;
    done.what = sync::Verdict::What::done;
    done.number = due.rows[0].number;
    write([&](crypto::Connection& connection) {
      return sync::record_verdicts(connection, "his", {done}, "2026-03-01T10:00:00Z");
    });
  }
  EXPECT_THAT(order,
              ::testing::ElementsAre("Patient", "Observation", "Observation", "DiagnosticReport"));
}

TEST_F(Hl7Test, OneResultThatWaitsHoldsTheReportBack) {
  std::string message = oru("1", "5.0");
  message += "OBX|2|NM|2339-0^Glucose^LN||5.1|mg/dL||N|||F|||20260301090500+0100\r";
  take(message);
  // Patient and the second result are there; the first one is not.
  write([](crypto::Connection& connection) -> core::Status {
    GW_TRY(const auto first, connection.integer("SELECT min(number) FROM outbox WHERE subject"
                                                " LIKE 'Observation/%'"));
    return connection.run(
        "DELETE FROM outbox WHERE subject NOT LIKE 'DiagnosticReport/%'"
        " AND number <> ?",
        first.value_or(0));
  });
  const sync::Claim due = claim("his");
  ASSERT_EQ(due.rows.size(), 1U);
  EXPECT_THAT(due.rows[0].subject, ::testing::StartsWith("Observation/"));
}

TEST_F(Hl7Test, TheSameBytesAgainHearTheSameAnswerAndStoreNothing) {
  const sync::Taken first = take(oru("1", "5.0"));
  const sync::Taken again = take(oru("1", "5.0"));
  EXPECT_EQ(again.outcome, Outcome::repeated);
  EXPECT_EQ(again.answer, first.answer);
  EXPECT_EQ(count("SELECT count(*) FROM message"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), 3);
}

TEST_F(Hl7Test, TheSameResultUnderANewHeaderChangesNothing) {
  take(oru("1", "5.0"));
  const std::int64_t versions =
      count("SELECT count(*) FROM resource_version WHERE type = 'Observation'");
  const sync::Taken again = take(oru("2", "5.0", "F", "20260301111500+0100"));
  EXPECT_EQ(again.outcome, Outcome::stored);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'Observation'"), versions);
}

TEST_F(Hl7Test, AControlIdUsedForOtherBytesIsANewMessageAndCounted) {
  take(oru("1", "5.0"));
  EXPECT_EQ(take(oru("1", "6.0")).outcome, Outcome::stored);
  EXPECT_EQ(count("SELECT count(*) FROM message"), 2);
  EXPECT_EQ(count("SELECT count FROM mapping_gap WHERE what = 'control id'"), 1);
}

TEST_F(Hl7Test, ANumberKeepsItsDigitsAndWhatWasSent) {
  take(oru("1", "2.0"));
  EXPECT_EQ(resource("Observation")["valueQuantity"]["value"].number_text(), "2.0");
  EXPECT_TRUE(resource("Observation")["valueQuantity"]["extension"].is_null());
  take(oru("2", "065.88", "F", "20260301111500+0100"));
  const Json value = resource("Observation")["valueQuantity"];
  EXPECT_EQ(value["value"].number_text(), "65.88");
  EXPECT_EQ(value["extension"][kFirst]["valueString"].text(), "065.88");
  EXPECT_EQ(value["code"].text(), "mg/dL");
}

TEST_F(Hl7Test, AnInstrumentsFinalIsPreliminaryUnlessTheSiteVerifiesTheTest) {
  take(oru("1", "5.0"));
  EXPECT_EQ(resource("Observation")["status"].text(), "preliminary");
  device_.autoverified = {"2345-7"};
  take(oru("2", "5.0", "F", "20260301111500+0100"));
  EXPECT_EQ(resource("Observation")["status"].text(), "final");
}

TEST_F(Hl7Test, ACorrectionFollowsAFinalAndALatePreliminaryDoesNot) {
  device_.autoverified = {"*"};
  take(oru("1", "5.0"));
  take(oru("2", "5.5", "C", "20260301120000+0100"));
  EXPECT_EQ(resource("Observation")["status"].text(), "corrected");
  take(oru("3", "4.0", "P", "20260301130000+0100"));
  take(oru("4", "5.0", "F", "20260301093000+0100"));
  EXPECT_EQ(resource("Observation")["status"].text(), "corrected");
  EXPECT_EQ(resource("Observation")["valueQuantity"]["value"].number_text(), "5.5");
  EXPECT_EQ(resources("Observation"), 1);
}

TEST_F(Hl7Test, ADeletedResultIsEnteredInErrorForGood) {
  device_.autoverified = {"*"};
  take(oru("1", "5.0"));
  take(oru("2", "", "D", "20260301120000+0100"));
  EXPECT_EQ(resource("Observation")["status"].text(), "entered-in-error");
  EXPECT_EQ(resource("Observation")["valueQuantity"]["value"].number_text(), "5.0");
  take(oru("3", "5.0", "F", "20260301130000+0100"));
  EXPECT_EQ(resource("Observation")["status"].text(), "entered-in-error");
}

TEST_F(Hl7Test, ATimeWithoutZoneGetsTheDevicesMarkedAsAssumed) {
  std::string message = oru("1", "5.0");
  const auto at = message.find("20260301090500+0100");
  message.replace(at, 19, "20260301090500123");
  take(message);
  const Json observation = resource("Observation");
  EXPECT_EQ(observation["effectiveDateTime"].text(), "2026-03-01T09:05:00.123+01:00");
  EXPECT_EQ(observation["_effectiveDateTime"]["extension"][kFirst]["valueString"].text(),
            "Europe/Madrid");
}

TEST_F(Hl7Test, WithoutAPatientIdAResultWaitsForAPersonAndIsAcknowledged) {
  std::string message = oru("1", "5.0");
  message.replace(message.find("P1^^^^MR"), 8, "");
  const sync::Taken taken = take(message);
  EXPECT_EQ(taken.outcome, Outcome::unassigned);
  EXPECT_THAT(taken.answer, HasSubstr("MSA|AA|1"));
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
  EXPECT_EQ(text("SELECT state || ': ' || reason FROM message"),
            "unassigned: no patient id was sent");
}

TEST_F(Hl7Test, ABareIdWithoutAnyIssuerBelongsToNobody) {
  device_.patient_id_issuer = "";
  EXPECT_EQ(take(oru("1", "5.0")).outcome, Outcome::unassigned);
}

TEST_F(Hl7Test, AnIdWhoseNameDisagreesIsHeld) {
  pull(kPatient);
  std::string message = oru("1", "5.0");
  message.replace(message.find("Roe^Jane"), 8, "Poe^Edna");
  const sync::Taken taken = take(message);
  EXPECT_EQ(taken.outcome, Outcome::unassigned);
  EXPECT_THAT(taken.reason, HasSubstr("name differ"));
}

TEST_F(Hl7Test, AnAssignedMessageBecomesThatPatientsResults) {
  pull(kPatient);
  std::string message = oru("1", "5.0");
  message.replace(message.find("P1^^^^MR"), 8, "");
  const sync::Taken held = take(message);
  Hl7Device lab;
  lab.profile = device_;
  const Decoders decoders{{"lab", decoder_of(lab, core::system_clock())}};
  auto retried = retry_message(*held_, held.number, decoders, "p1");
  ASSERT_TRUE(retried.ok()) << retried.error().message();
  EXPECT_EQ(retried->outcome, Outcome::stored);
  EXPECT_EQ(resource("Observation")["subject"]["reference"].text(), "Patient/p1");
  EXPECT_FALSE(retry_message(*held_, held.number, decoders, "p1").ok());
}

TEST_F(Hl7Test, AnOrderOfTheHisIsWhatTheResultIsBasedOn) {
  pull(kPatient);
  pull(
      R"({"resourceType":"ServiceRequest","id":"s9","meta":{"versionId":"1"},"status":"active",)"
      R"("intent":"order","identifier":[{"system":"urn:clinic-gateway:device:lab:PLAC","value":"PL1"}],)"
      R"("subject":{"reference":"Patient/p1"}})");
  take(oru("1", "5.0"));
  EXPECT_EQ(resource("DiagnosticReport")["basedOn"][kFirst]["reference"].text(),
            "ServiceRequest/s9");
}

TEST_F(Hl7Test, AResultThatNamesAnOrderByItsIdIsBasedOnIt) {
  const std::string uuid = core::new_uuid();
  pull(kPatient);
  for (const std::string& id : {std::string("s9"), uuid}) {
    pull(core::cat(R"({"resourceType":"ServiceRequest","id":")", id,
                   R"(","meta":{"versionId":"1"},"status":"active","intent":"order",)",
                   R"("subject":{"reference":"Patient/p1"}})"));
  }
  // As the work order said it; or what many analyzers keep of that.
  const std::string named = "s9^^urn:clinic-gateway:resource-id^URI";
  int number = 0;
  const auto based_on = [&](const std::string& sent, const std::string& patient = "P1") {
    std::string result = oru(core::cat(++number), "5.0");
    result.replace(result.find("OBR|1|PL1|FI1"), 13, core::cat("OBR|1|", sent, "|FI", number));
    if (patient != "P1") result.replace(result.find("P1^^^^MR||Roe^Jane"), 18, "P2^^^^MR||Poe^Eve");
    take(result);
    const auto report = Json::parse(
        text(core::cat("SELECT body FROM resource_version WHERE type = 'DiagnosticReport' AND body"
                       " LIKE '%urn:clinic-gateway:message:",
                       number, "\"%'")));
    EXPECT_TRUE(report.ok());
    return report.ok() ? std::string((*report)["basedOn"][kFirst]["reference"].text()) : "none";
  };
  EXPECT_EQ(based_on(named), "ServiceRequest/s9");
  EXPECT_EQ(based_on(uuid), core::cat("ServiceRequest/", uuid));
  EXPECT_EQ(based_on("s9"), "") << "may be any number of the device's own";
  EXPECT_EQ(based_on(named, "P2"), "") << "another patient's";
  EXPECT_EQ(based_on(uuid, "P2"), "");
}

TEST_F(Hl7Test, AnOlderEventNeverOverwritesANewerOne) {
  const auto adt = [](std::string_view id, std::string_view at, std::string_view city) {
    return core::cat(header("ADT^A08", id, at), "EVN|A08|", at,
                     "\rPID|1||P1^^^^MR||Roe^Jane||19800102|F|||Main St 1^^", city, "\rPV1|1|O\r");
  };
  take(adt("1", "20260301100000+0100", "Soria"));
  take(adt("2", "20260301120000+0100", "Madrid"));
  take(adt("3", "20260301110000+0100", "Lugo"));
  EXPECT_EQ(resource("Patient")["address"][kFirst]["city"].text(), "Madrid");
}

TEST_F(Hl7Test, AnEmptyFieldKeepsAndTwoQuotesDelete) {
  take(core::cat(header("ADT^A28", "1", "20260301100000+0100"),
                 "PID|1||P1^^^^MR||Roe^Jane||19800102|F|||Main St 1^^Soria||555-1\r"));
  take(core::cat(header("ADT^A31", "2", "20260301110000+0100"),
                 "PID|1||P1^^^^MR||Roe^Jane||19800102|F|||||\"\"\r"));
  EXPECT_EQ(resource("Patient")["address"][kFirst]["city"].text(), "Soria");
  EXPECT_TRUE(resource("Patient")["telecom"].is_null());
}

TEST_F(Hl7Test, AMergeIsAProposalAndMergesNobody) {
  take(core::cat(header("ADT^A28", "1"), "PID|1||P1^^^^MR||Roe^Jane\r"));
  take(core::cat(header("ADT^A28", "2"), "PID|1||P2^^^^MR||Roe^Jane\r"));
  EXPECT_EQ(
      take(core::cat(header("ADT^A40", "3"), "PID|1||P1^^^^MR||Roe^Jane\rMRG|P2^^^^MR\r")).outcome,
      Outcome::stored);
  EXPECT_EQ(resources("Patient"), 2);
  const Json task = resource("Task");
  EXPECT_EQ(task["intent"].text(), "proposal");
  EXPECT_THAT(std::string(task["input"][kFirst]["valueReference"]["reference"].text()),
              HasSubstr("Patient/"));
}

TEST_F(Hl7Test, AnUnknownTypeIsRejectedAndKept) {
  const sync::Taken taken = take(core::cat(header("BAR^P01", "1"), kPid));
  EXPECT_EQ(taken.outcome, Outcome::dead);
  EXPECT_THAT(taken.answer, HasSubstr("MSA|AR|1"));
  EXPECT_EQ(take("not HL7 at all").outcome, Outcome::dead);
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 2);
}

TEST_F(Hl7Test, SegmentsAndCodesNobodyMapsAreCountedAndSurviveInTheRaw) {
  const std::string message =
      core::cat(oru("1", "5.0"), "OBX|2|NM|GLU2^Glucose two^99LAB||7|furlong|||||F\rZXY|1|what\r");
  take(message);
  EXPECT_EQ(count("SELECT count FROM mapping_gap WHERE what = 'segment' AND code = 'ZXY'"), 1);
  EXPECT_EQ(count("SELECT count FROM mapping_gap WHERE what = 'code' AND code = 'GLU2'"), 1);
  EXPECT_EQ(count("SELECT count FROM mapping_gap WHERE what = 'unit' AND code = 'furlong'"), 1);
  EXPECT_EQ(text("SELECT CAST(bytes AS TEXT) FROM message_raw"), message);
  EXPECT_EQ(resources("Observation"), 2);
}

TEST_F(Hl7Test, TwoPatientsResultsOfOneSampleNumberNeverMeet) {
  take(oru("1", "5.0"));
  std::string other = oru("2", "6.0");
  other.replace(other.find("P1^^^^MR||Roe^Jane"), 18, "P2^^^^MR||Poe^Edna");
  take(other);
  EXPECT_EQ(resources("Observation"), 2);
}

TEST_F(Hl7Test, AnOrderNumberUsedAgainForAnotherPatientIsAnotherOrder) {
  const auto order = [](std::string_view id, std::string_view patient) {
    return core::cat(header("OML^O21^OML_O21", id), "PID|1||", patient,
                     "||19800102|F\rORC|NW|17\rOBR|1|17||24323-8^Panel^LN\r");
  };
  take(order("1", "P1^^^^MR||Roe^Jane"));
  take(order("2", "P2^^^^MR||Poe^Edna"));
  EXPECT_EQ(resources("ServiceRequest"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'ServiceRequest'"), 2);
  take(order("3", "P2^^^^MR||Poe^Edna"));
  EXPECT_EQ(resources("ServiceRequest"), 2);
}

TEST_F(Hl7Test, AResultIsNotBasedOnAnotherPatientsOrder) {
  pull(kPatient);
  pull(
      R"({"resourceType":"ServiceRequest","id":"s9","meta":{"versionId":"1"},"status":"active",)"
      R"("intent":"order","identifier":[{"system":"urn:clinic-gateway:device:lab:PLAC","value":"PL1"}],)"
      R"("subject":{"reference":"Patient/p1"}})");
  std::string other = oru("1", "6.0");
  other.replace(other.find("P1^^^^MR||Roe^Jane"), 18, "P2^^^^MR||Poe^Edna");
  take(other);
  EXPECT_EQ(resource("DiagnosticReport")["basedOn"][kFirst]["reference"].text(), "");
}

TEST_F(Hl7Test, NothingIsTakenOnceTheDiskIsAtItsReserve) {
  reserve_bytes_ = UINT64_MAX / 2;
  open();
  const Read read = read_message(oru("1", "5.0"), device_, "192.0.2.7", core::system_clock());
  const auto taken = held_->intake().take_now(*read.incoming);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code(), core::Code::no_space);
  EXPECT_EQ(count("SELECT count(*) FROM message"), 0);
}

TEST_F(Hl7Test, ASitesOwnCodeStaysATextAndALocalIssuerIsAUri) {
  take(core::cat(header("ADT^A08", "1"),
                 "EVN|A08|20260301\rPID|1||P1^^^WARD^XMR||Roe^Jane||19800102|F||||||||2\r"));
  const Json patient = resource("Patient");
  const Json& identifier = patient["identifier"][kFirst];
  EXPECT_EQ(identifier["system"].text(), "urn:clinic-gateway:issuer:oid:2.25.1:WARD");
  EXPECT_EQ(identifier["type"], Json::object({{"text", "XMR"}}));
  EXPECT_EQ(patient["maritalStatus"], Json::object({{"text", "2"}}));
  EXPECT_EQ(count("SELECT count FROM mapping_gap WHERE system = 'HL70002' AND code = '2'"), 1);
}

TEST_F(Hl7Test, RawBytesGoByAgeAndLettersStay) {
  device_.autoverified = {"2345-7"};
  take(oru("1", "5.0"));
  take("not HL7 at all");
  write([](crypto::Connection& connection) -> core::Status {
    return connection.run("DELETE FROM outbox");
  });
  EXPECT_EQ(expire("2000"), 0);
  EXPECT_EQ(expire("9999"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM message_raw"), 1);
  EXPECT_EQ(take(oru("1", "5.0")).outcome, Outcome::repeated);
}

TEST_F(Hl7Test, RawBytesStayWhileAResultIsUnreleasedOrUndelivered) {
  take(oru("1", "5.0"));
  EXPECT_EQ(expire("9999"), 0) << "it waits for the hospital";
  write([](crypto::Connection& connection) -> core::Status {
    return connection.run("DELETE FROM outbox");
  });
  EXPECT_EQ(expire("9999"), 0) << "nobody has released it";
  EXPECT_EQ(count("SELECT count(*) FROM message_raw"), 1);
}

}  // namespace
}  // namespace gateway::adapters::hl7
