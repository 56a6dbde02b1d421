// What real senders write and the standard allows, or once allowed: late charting, ids in an older
// field, flags of their own, times with the signs of ISO 8601, appointments without times,
// documents that were withdrawn.
#include <gmock/gmock.h>

#include "adapters/hl7/mapping/datatypes.h"
#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using Outcome = sync::Taken::Outcome;

constexpr std::size_t kFirst = 0;

class Hl7Senders : public Hl7Test {
 protected:
  /// Each patient's part by itself, as a listener takes it.
  std::vector<Outcome> take_frame(std::string bytes) {
    std::vector<Outcome> outcomes;
    for (std::string& part : cut_frame(std::move(bytes)))
      outcomes.push_back(take(std::move(part)).outcome);
    return outcomes;
  }
  static std::string visit(std::string_view event, std::string_view id, std::string_view recorded,
                           std::string_view occurred) {
    return cat(header(cat("ADT^", event), id, recorded), "EVN|", event, "|", recorded, "||||",
               occurred, "\r", kPid, "PV1|1|I|W^R^B", std::string(16, '|'), "V1^^^HOSP\r");
  }
  /// SCH-25 `status`, SCH-11 `times`.
  static std::string appointment(std::string_view event, std::string_view id,
                                 std::string_view status, std::string_view times,
                                 std::string_view more = "") {
    return cat(header(cat("SIU^", event), id, cat("2026030110150", id, "+0100")),
               "SCH|A1|B1|||||||||", times, std::string(14, '|'), status, "\r", kPid, more);
  }
  static constexpr std::string_view kTimes = "^^^20260401090000+0200^20260401093000+0200";
  std::string status_of(const std::string& type) {
    return std::string(resource(type)["status"].text());
  }
};

TEST_F(Hl7Senders, ALateChartedDischargeIsNewerThanWhatWasChartedBefore) {
  take(visit("A01", "1", "20260301090000+0100", "20260301090000+0100"));
  take(visit("A02", "2", "20260301120000+0100", "20260301120000+0100"));
  take(visit("A03", "3", "20260301180000+0100", "20260301100000+0100"));
  EXPECT_EQ(status_of("Encounter"), "finished");
  // One that was recorded before, and only comes now, is not.
  take(visit("A02", "4", "20260301130000+0100", "20260301190000+0100"));
  EXPECT_EQ(status_of("Encounter"), "finished");
}

TEST_F(Hl7Senders, AnIdOfTheOldFieldAloneNamesAPerson) {
  EXPECT_EQ(take(cat(header("ADT^A28", "1"), "PID|1|P7^^^^MR|||Roe^Jane\r")).outcome,
            Outcome::stored);
  EXPECT_EQ(resource("Patient")["identifier"][kFirst]["value"].text(), "P7");
  EXPECT_EQ(take(cat(header("ADT^A28", "2"), "PID|1|X9^^^^MR|P7^^^^MR||Roe^Jane\r")).outcome,
            Outcome::stored);
  EXPECT_EQ(resources("Patient"), 1) << "PID-3 is what counts where it is filled";
}

TEST_F(Hl7Senders, EachPatientOfAMessageIsAMessage) {
  const std::string result = "OBR|1|||K\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r";
  EXPECT_EQ(take_frame(cat(header("ORU^R01", "1"), kPid, result,
                           "PID|2||P2^^^^MR||Poe^John\rOBR|1|||K\r"
                           "OBX|1|NM|2823-3^K^LN||7.9|mmol/L|||||F\r",
                           "PID|3||||Doe^Jim\r", result)),
            (std::vector{Outcome::stored, Outcome::stored, Outcome::unassigned}));
  EXPECT_EQ(resources("Patient"), 2);
  EXPECT_EQ(count("SELECT count(DISTINCT json_extract(CAST(body AS TEXT), '$.subject.reference'))"
                  " FROM resource_version WHERE type = 'Observation'"),
            2);
}

TEST_F(Hl7Senders, EveryMergeOfAMessageIsProposed) {
  for (const char* id : {"P1", "P2", "P3", "P4"})
    take(cat(header("ADT^A28", id), "PID|1||", id, "^^^^MR||Roe^Jane\r"));
  EXPECT_EQ(take_frame(cat(header("ADT^A40", "5"), "EVN|A40|20260301\r",
                           "PID|1||P1^^^^MR||Roe^Jane\rMRG|P2^^^^MR\r",
                           "PID|2||P3^^^^MR||Roe^Jane\rMRG||||P4^^^^MR\rMRG|P9^^^^MR\r")),
            (std::vector{Outcome::stored, Outcome::stored}));
  EXPECT_EQ(resources("Task"), 3);
  EXPECT_EQ(count("SELECT count(DISTINCT json_extract(CAST(body AS TEXT), '$.focus.reference'))"
                  " FROM resource_version WHERE type = 'Task'"),
            2);
  EXPECT_EQ(take(cat(header("ADT^A40", "6"), kPid, "MRG|P2^^^^MR\r", "PID|1||P3^^^^MR||X^Y\r",
                     "MRG|P4^^^^MR\r"))
                .outcome,
            Outcome::dead)
      << "uncut, it would merge all into the first";
}

TEST_F(Hl7Senders, OnlyATablesCodeIsAFlagOfTheStandard) {
  const auto flagged = [](std::string_view id, std::string_view flag) {
    return cat(header("ORU^R01", id), "PID|1||Q", id, "^^^^MR||Roe^Jane\r",
               "OBR|1|||K\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L||", flag, "|||F\r");
  };
  const auto interpretation = [&](std::string_view like) {
    return text(
        cat("SELECT json_extract(CAST(body AS TEXT), '$.interpretation') FROM"
            " resource_version WHERE type = 'Observation' AND CAST(body AS TEXT) LIKE '%",
            like, "%'"));
  };
  take(flagged("1", "H"));
  EXPECT_EQ(interpretation(R"("code":"H")"),
            R"([{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/)"
            R"(v3-ObservationInterpretation","code":"H"}]}])");
  take(flagged("2", "High, see note"));
  EXPECT_EQ(interpretation("see note"), R"([{"text":"High, see note"}])");
  take(flagged("3", "R^Repeated^99LAB"));
  EXPECT_THAT(interpretation("Repeated"),
              ::testing::HasSubstr(R"("urn:clinic-gateway:device:lab:99LAB")"));
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE system = 'HL70078'"), 1);
}

TEST_F(Hl7Senders, AnAppointmentKeepsItsTimesAndItsStatus) {
  take(appointment("S12", "1", "Booked", kTimes));
  EXPECT_EQ(status_of("Appointment"), "booked");
  take(appointment("S14", "2", "Booked", ""));
  EXPECT_EQ(status_of("Appointment"), "booked");
  take(appointment("S13", "3", "", ""));
  EXPECT_EQ(status_of("Appointment"), "booked");
  EXPECT_FALSE(resource("Appointment")["start"].is_null());
  take(appointment("S26", "4", "", ""));
  EXPECT_EQ(status_of("Appointment"), "noshow");
}

TEST_F(Hl7Senders, ANewAppointmentWithoutTimesIsProposed) {
  take(appointment("S12", "1", "Booked", ""));
  EXPECT_EQ(status_of("Appointment"), "proposed");
  take(appointment("S15", "2", "", ""));
  EXPECT_EQ(status_of("Appointment"), "cancelled");
}

TEST_F(Hl7Senders, AppointmentsWithoutNumbersAreKnownByTheirTime) {
  const auto unnumbered = [](std::string_view event, std::string_view id, std::string_view times) {
    std::string message = appointment(event, id, "", times);
    return message.replace(message.find("A1|B1"), 5, "|");
  };
  take(unnumbered("S12", "1", "^^^20260501090000+0200^20260501093000+0200"));
  take(unnumbered("S12", "2", kTimes));
  EXPECT_EQ(resources("Appointment"), 2);
  take(unnumbered("S15", "3", kTimes));
  EXPECT_EQ(resources("Appointment"), 2);
}

TEST_F(Hl7Senders, AGradeIsReadAsPeopleWriteIt) {
  take(cat(header("ORU^R01", "1"), kPid, "OBR|1|||K\rOBX|1|SN|5799-2^LE^LN||^2^+||||||F\r"));
  EXPECT_EQ(resource("Observation")["valueString"].text(), "2+");
}

TEST_F(Hl7Senders, ThePersonWhoIsBookedTellsWhen) {
  take(appointment("S12", "1", "Booked", "",
                   "AIL|1|A|R1\rAIP|1|A|D1^Gil|||20260401090000+0200|||30|min\r"));
  EXPECT_EQ(status_of("Appointment"), "booked");
  EXPECT_THAT(std::string(resource("Appointment")["end"].text()),
              ::testing::StartsWith("2026-04-01T07:30:00"));
}

TEST_F(Hl7Senders, ADocumentIsAsFarAsItsSenderSays) {
  const auto document = [](std::string_view id, std::string_view completion,
                           std::string_view availability) {
    return cat(header("MDM^T02", id, cat("2026030110150", id, "+0100")), kPid, "TXA|1|DI|TX",
               std::string(9, '|'), "DOC1|||||", completion, "||", availability,
               "\rOBX|1|TX|a||text\r");
  };
  const auto statuses = [&] {
    const Json held = resource("DocumentReference");
    return cat(held["status"].text(), " ", held["docStatus"].text());
  };
  take(document("1", "DO", ""));
  EXPECT_EQ(statuses(), "current final");
  take(document("2", "IP", "UN"));
  EXPECT_EQ(statuses(), "current preliminary");
  take(document("3", "AU", "AV"));
  EXPECT_EQ(statuses(), "current final");
  take(document("4", "AU", "OB"));
  EXPECT_EQ(statuses(), "superseded final");
  take(document("5", "AU", "CA"));
  EXPECT_EQ(statuses(), "entered-in-error entered-in-error");
}

TEST_F(Hl7Senders, NoVaccineIsNoImmunizationAndACardIsNoPrimarySource) {
  EXPECT_EQ(take(cat(header("VXU^V04", "1"), kPid,
                     "RXA|0|1|20260301||998^no vaccine administered^CVX|999\r",
                     "RXA|0|1|20200301||03^MMR^CVX|999|||01^Historical^NIP001\r"))
                .outcome,
            Outcome::stored);
  EXPECT_EQ(resources("Immunization"), 1);
  EXPECT_FALSE(resource("Immunization")["primarySource"].boolean());
  EXPECT_TRUE(resource("Immunization")["primarySource"].is_bool());
}

TEST(Hl7Times, MayHaveTheSignsOfIso) {
  const auto read = [](std::string_view text) {
    return mapping::fhir_time(text, "Europe/Madrid").text;
  };
  EXPECT_EQ(read("2024+01:00"), "2024");
  EXPECT_EQ(read("2024-0500"), "2024");
  EXPECT_EQ(read("20240102103000+01:00"), "2024-01-02T10:30:00+01:00");
  EXPECT_EQ(read("20240102103000+01"), "2024-01-02T10:30:00+01:00");
  EXPECT_EQ(read("2024-01"), "2024-01");
  EXPECT_EQ(read("2024-01-02"), "2024-01-02");
  EXPECT_EQ(read("2024-01-02T10:30:00.25-05:00"), "2024-01-02T10:30:00.25-05:00");
  EXPECT_EQ(read("2024-01-02T10:30:00Z"), "2024-01-02T10:30:00+00:00");
  EXPECT_EQ(read("2024-01-02 10:30"), "2024-01-02T10:30:00+01:00");
  EXPECT_EQ(read("20240102T103000"), "2024-01-02T10:30:00+01:00");
  for (const char* none : {"12:30", "2024-1-2", "2024-13", "2024-01-", "0000-00-00", "-", "T"})
    EXPECT_EQ(read(none), "") << none;
}

}  // namespace
}  // namespace gateway::adapters::hl7
