// Corrections (OBX-11 C, D, W): which result they are of, and where they wait for a person.
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;

constexpr std::string_view kOther = "PID|1||P2^^^^MR||Poe^Edna||19700102|F\r";

class Hl7Corrections : public Hl7Test {
 protected:
  Hl7Corrections() { device_.autoverified = {"*"}; }

  static std::string obr(std::string_view filler, std::string_view time = "20260301090000+0100") {
    return cat("OBR|1|PL", filler, "|", filler, "|24323-8^Panel^LN|||", time, "\r");
  }
  static std::string obx(std::string_view test, std::string_view value, std::string_view status,
                         std::string_view device = "", std::string_view sub_id = "") {
    return cat("OBX|1|NM|", test, "|", sub_id, "|", value, "|mg/dL|70-110||||", status, "|||||||",
               device, "\r");
  }
  /// Each message is newer than the one before.
  sync::Taken send(std::string_view pid, const std::string& rest) {
    ++sent_;
    return take(cat(header("ORU^R01", std::to_string(sent_),
                           cat("202603011", std::to_string(sent_), "1500+0100")),
                    pid, rest));
  }
  std::string value() {
    return std::string(resource("Observation")["valueQuantity"]["value"].number_text());
  }
  std::string status() { return std::string(resource("Observation")["status"].text()); }

  int sent_ = 0;
};

TEST_F(Hl7Corrections, ItsTestMayBeWordedOtherwise) {
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F"));
  EXPECT_EQ(send(kPid, obr("F1") + obx("2345-7^GLUCOSE, SERUM^LN", "5.5", "C")).outcome,
            Outcome::stored);
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(value(), "5.5");
  EXPECT_EQ(status(), "corrected");
  EXPECT_EQ(resource("DiagnosticReport")["result"].size(), 1U);
}

TEST_F(Hl7Corrections, ItsDeviceAndItsTimeMayBeLeftAway) {
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F", "EUI-1"));
  send(kPid, obr("F1", "") + obx("2345-7^Glucose^LN", "5.5", "C"));
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(resources("DiagnosticReport"), 1);
  EXPECT_EQ(value(), "5.5");
}

TEST_F(Hl7Corrections, OneForAnotherPatientWaitsAndBecomesNoSecondResult) {
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F"));
  for (const char* status : {"C", "W", "D"}) {
    const sync::Taken taken = send(kOther, obr("F1") + obx("2345-7^Glucose^LN", "5.5", status));
    EXPECT_EQ(taken.outcome, Outcome::unassigned) << status;
    EXPECT_THAT(taken.reason, HasSubstr("another patient's record"));
    EXPECT_THAT(taken.answer, HasSubstr("MSA|AA|"));
  }
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(resources("Patient"), 1);
  EXPECT_EQ(value(), "5.0");
}

TEST_F(Hl7Corrections, APersonWhoAssignsItHasLooked) {
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F"));
  take(cat(header("ADT^A28", "10"), kOther));
  const sync::Taken held = send(kOther, obr("F1") + obx("2345-7^Glucose^LN", "5.5", "C"));
  Hl7Device lab;
  lab.profile = device_;
  const Decoders decoders{{"lab", decoder_of(lab, core::system_clock())}};
  const std::string other = text(
      "SELECT id FROM resource JOIN resource_version USING (type, id,"
      " version) WHERE type = 'Patient' AND CAST(body AS TEXT) LIKE"
      " '%Poe%'");
  const auto retried = retry_message(*held_, held.number, decoders, other);
  ASSERT_TRUE(retried.ok()) << retried.error().message();
  EXPECT_EQ(retried->outcome, Outcome::stored);
  EXPECT_EQ(resources("Observation"), 2);
}

TEST_F(Hl7Corrections, OneWhoseOrderNobodyHeardOfIsTheFirstWord) {
  EXPECT_EQ(send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.5", "C")).outcome, Outcome::stored);
  EXPECT_EQ(status(), "corrected");
  EXPECT_EQ(send(kPid, "OBR|1|||24323-8^Panel^LN\r" + obx("2345-7^Glucose^LN", "6", "C")).outcome,
            Outcome::unassigned)
      << "without an order's number nobody can tell";
}

TEST_F(Hl7Corrections, ATestThatIsAddedIsNoSecondResult) {
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F"));
  EXPECT_EQ(
      send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.5", "C") + obx("2823-3^K^LN", "4.1", "C"))
          .outcome,
      Outcome::stored);
  EXPECT_EQ(resources("Observation"), 2);
}

TEST_F(Hl7Corrections, WhichOfSeveralIsMeantAPersonSays) {
  const std::string two =
      obx("2345-7^Glucose^LN", "5.0", "F", "", "1") + obx("2345-7^Glucose^LN", "6.0", "F", "", "2");
  send(kPid, obr("F1") + two);
  const sync::Taken taken = send(kPid, obr("F1") + obx("2345-7^Glucose again^LN", "5.5", "C"));
  EXPECT_EQ(taken.outcome, Outcome::unassigned);
  EXPECT_THAT(taken.reason, HasSubstr("one of several"));
  EXPECT_EQ(resources("Observation"), 2);
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.5", "C", "", "1") +
                 obx("2345-7^Gluc^LN", "6.5", "C", "", "2"));
  EXPECT_EQ(resources("Observation"), 2) << "one is told, the other is the other one";
  EXPECT_EQ(
      count("SELECT count(*) FROM resource r JOIN resource_version v USING (type, id, version)"
            " WHERE r.type = 'Observation' AND CAST(v.body AS TEXT) LIKE '%\"corrected\"%'"),
      2);
}

TEST_F(Hl7Corrections, AWithdrawalMeetsAResultOfOtherWords) {
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F"));
  send(kPid, obr("F1") + obx("2345-7^Gluc^LN", "", "W"));
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(status(), "entered-in-error");
}

TEST_F(Hl7Corrections, AResultAndItsCorrectionInOneMessageAreOne) {
  send(kPid,
       obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F") + obx("2345-7^Glucose^LN", "5.5", "C"));
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(value(), "5.5");
  send(kPid,
       obr("F2") + obx("2345-7^Glucose^LN", "5.0", "F") + obx("2345-7^Glucose^LN", "5.5", "F"));
  EXPECT_EQ(resources("Observation"), 3) << "replicates";
}

TEST_F(Hl7Corrections, OfAPatientWhoseRecordWasReplacedItStaysWhereTheResultIs) {
  pull(kPatient);
  send(kPid, obr("F1") + obx("2345-7^Glucose^LN", "5.0", "F"));
  pull(
      R"({"resourceType":"Patient","id":"p2","meta":{"versionId":"1"},"identifier":[{"system":"urn:oid:2.25.1","value":"P2"}],)"
      R"("name":[{"family":"Roe","given":["Jane"]}]})");
  pull(
      R"({"resourceType":"Patient","id":"p1","meta":{"versionId":"2"},"identifier":[{"system":"urn:oid:2.25.1","value":"P1"}],)"
      R"("name":[{"family":"Roe","given":["Jane"]}],"link":[{"other":{"reference":"Patient/p2"},"type":"replaced-by"}]})");
  EXPECT_EQ(
      send("PID|1||P2^^^^MR||Roe^Jane\r", obr("F1") + obx("2345-7^Glucose^LN", "5.5", "C")).outcome,
      Outcome::stored);
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(value(), "5.5");
  EXPECT_EQ(resource("Observation")["subject"]["reference"].text(), "Patient/p1");
}

}  // namespace
}  // namespace gateway::adapters::hl7
