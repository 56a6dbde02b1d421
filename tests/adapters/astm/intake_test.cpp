// What becomes of a device's results: identity, repeats, controls, pieces, and questions answered
// from the orders that are held.
#include <gmock/gmock.h>

#include "adapters/astm/host_query.h"
#include "adapters/astm/message_reader.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::astm {
namespace {

using core::Json;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;

constexpr std::size_t kFirst = 0;

class AstmTest : public sync::RecordsTest {
 protected:
  AstmTest() {
    device_.options.profile.name = "lab";
    device_.options.profile.time_zone = "Europe/Madrid";
    device_.options.profile.patient_id_issuer = sync::kIssuer;
    device_.options.profile.specimen_id_issuer = "urn:example:tubes";
    auto profile = profiles::load_profile(core::system_files(),
                                          std::string(GATEWAY_PROFILES) + "/abbott-afinion-2");
    EXPECT_TRUE(profile.ok());
    if (profile.ok()) device_.profile = std::move(*profile);
  }

  sync::Taken take(std::string bytes, std::int64_t begun = 0) {
    const Read read = read_message(std::move(bytes), device_, "192.0.2.7");
    read.incoming->begun = begun;
    auto taken = held_->intake().take_now(*read.incoming);
    EXPECT_TRUE(taken.ok()) << (taken.ok() ? "" : taken.error().message());
    return taken.ok() ? *taken : sync::Taken();
  }
  Json resource(const std::string& type) {
    const auto json = Json::parse(
        text("SELECT v.body FROM resource r JOIN resource_version v USING (type, id, version)"
             " WHERE r.type = '" +
             type + "' ORDER BY r.id LIMIT 1"));
    EXPECT_TRUE(json.ok()) << type;
    return json.ok() ? *json : Json();
  }
  std::int64_t resources(const std::string& type) {
    return count("SELECT count(*) FROM resource WHERE type = '" + type + "'");
  }
  static std::string message(std::string_view value, std::string_view id = "P1",
                             std::string_view header_time = "20260301101500",
                             std::string_view unit = "%", std::string_view status = "F",
                             std::string_view action = "N", std::string_view tube = "T1") {
    return core::cat("H|\\^&|||Analyzer^^SN1|||||||P|1|", header_time, "\rP|1|", id,
                     "|||Roe^Jane||19800102|F\rO|1|", tube, "||^^^HbA1c|||||||", action,
                     "\rR|1|^^^HbA1c|", value, "|", unit, "||N||", status,
                     "||op1||20260301090500\rL|1|N\r");
  }
  void put(const std::string& type, const std::string& id, std::string_view body) {
    const auto parsed = Json::parse(body);
    ASSERT_TRUE(parsed.ok()) << body;
    write([&](crypto::Connection& connection) -> core::Status {
      const auto version =
          sync::put_resource(connection, {type, id}, *parsed, "his", "2026-03-01T08:00:00Z");
      return version.ok() ? core::Status() : version.error();
    });
  }
  /// An active order for HbA1c; `more`: its members beside.
  void put_order(const std::string& id, std::string_view more) {
    put("ServiceRequest", id,
        core::cat(R"({"resourceType":"ServiceRequest","id":")", id,
                  R"(","status":"active","intent":"order",)", more,
                  R"(,"code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},)",
                  R"("subject":{"reference":"Patient/p1"}})"));
  }
  static std::string of_tube(std::string_view number) {
    return core::cat(R"("identifier":[{"system":"urn:example:tubes","value":")", number, R"("}])");
  }
  /// A patient with an active order for HbA1c on tube T1.
  void place_order() {
    put("Patient", "p1",
        R"({"resourceType":"Patient","id":"p1","name":[{"family":"Roe","given":["Jane"]}],)"
        R"("birthDate":"1980-01-02","gender":"female"})");
    put_order("o1", core::cat(R"("priority":"stat",)", of_tube("T1")));
  }

  AstmDevice device_;
};

TEST_F(AstmTest, AResultKeepsItsDigitsItsAssumedZoneAndItsProfile) {
  EXPECT_EQ(take(message("2.0")).outcome, Outcome::stored);
  const Json result = resource("Observation");
  EXPECT_EQ(result["valueQuantity"]["value"].number_text(), "2.0");
  EXPECT_TRUE(result["valueQuantity"]["extension"].is_null());
  EXPECT_EQ(result["effectiveDateTime"].text(), "2026-03-01T09:05:00+01:00");
  EXPECT_EQ(result["_effectiveDateTime"]["extension"][kFirst]["valueString"].text(),
            "Europe/Madrid");
  EXPECT_THAT(std::string(result["extension"][kFirst]["valueString"].text()),
              ::testing::StartsWith("abbott-afinion-2 1+"));
  EXPECT_EQ(result["code"]["coding"][kFirst]["code"].text(), "4548-4");
  EXPECT_EQ(result["status"].text(), "preliminary");
  EXPECT_EQ(resources("Patient"), 1);
  EXPECT_EQ(resources("Specimen"), 1);
  EXPECT_EQ(resources("DiagnosticReport"), 1);
  take(message("065.88", "P1", "20260301101600", "mmol/mol"));
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'Observation'"
                  " AND body LIKE '%\"valueString\":\"065.88\"%' AND body LIKE '%65.88,%'"),
            1);
}

TEST_F(AstmTest, TheSameResultUnderAnotherHeaderTimeChangesNothing) {
  take(message("5.9"));
  const auto versions = count("SELECT count(*) FROM resource_version");
  EXPECT_EQ(take(message("5.9")).outcome, Outcome::repeated);
  EXPECT_EQ(take(message("5.9", "P1", "20260301101700")).outcome, Outcome::stored);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), versions);
}

TEST_F(AstmTest, ACorrectionTakesThePlaceOfWhatWasFinal) {
  device_.options.profile.autoverified = {"HbA1c"};
  take(message("5.9"));
  EXPECT_EQ(resource("Observation")["status"].text(), "final");
  take(message("6.9", "P1", "20260301101700", "%", "C"));
  EXPECT_EQ(resource("Observation")["status"].text(), "corrected");
  EXPECT_EQ(resources("Observation"), 1);
}

TEST_F(AstmTest, AControlBecomesNothing) {
  EXPECT_EQ(take(message("5.9", "P1", "20260301101500", "%", "F", "Q")).outcome, Outcome::stored);
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE kind = 'ASTM control'"), 1);
}

TEST_F(AstmTest, AnImpossibleUnitIsHeldForAPerson) {
  const sync::Taken taken = take(message("5.9", "P1", "20260301101500", "g/L"));
  EXPECT_EQ(taken.outcome, Outcome::dead);
  EXPECT_THAT(taken.reason, HasSubstr("HbA1c came in g/L"));
  EXPECT_EQ(taken.answer, "\x06");
}

TEST_F(AstmTest, AnOperatorsIdIsNoPatients) {
  EXPECT_EQ(take(message("5.9", "op1", "20260301101500", "%", "F", "N", "")).outcome,
            Outcome::unassigned);
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
}

TEST_F(AstmTest, TheSpecimensOrderTellsWhoseItIs) {
  place_order();
  EXPECT_EQ(take(message("5.9", "")).outcome, Outcome::stored);
  const Json result = resource("Observation");
  EXPECT_EQ(result["subject"]["reference"].text(), "Patient/p1");
  EXPECT_EQ(result["basedOn"][kFirst]["reference"].text(), "ServiceRequest/o1");
}

TEST_F(AstmTest, AnIdThatIsNotTheOrdersPatientWaits) {
  place_order();
  EXPECT_EQ(take(message("5.9", "P2")).outcome, Outcome::unassigned);
}

TEST_F(AstmTest, ACorrectionForAnotherPatientWaits) {
  device_.options.profile.specimen_id_issuer.clear();
  take(message("5.9"));
  EXPECT_EQ(take(message("6.9", "P2", "20260301101700", "%", "C")).outcome, Outcome::unassigned);
  EXPECT_EQ(resources("Observation"), 1);
}

TEST_F(AstmTest, TwoValuesOfOneTestAreTwoResultsUnlessTheLaterCorrects) {
  const auto twice = [](std::string_view tube, std::string_view status, std::string_view time) {
    return core::cat(
        "H|\\^&|||Analyzer^^SN1|||||||P|1|", time, "\rP|1|P1|||Roe^Jane||19800102|F\rO|1|", tube,
        "||^^^HbA1c|||||||N\rR|1|^^^HbA1c|5.9|%||N||F||op1||20260301090500\rO|2|", tube,
        "||^^^HbA1c|||||||N\rR|1|^^^HbA1c|6.9|%||N||", status, "||op1||20260301090500\rL|1|N\r");
  };
  take(twice("T1", "F", "20260301101500"));
  EXPECT_EQ(resources("Observation"), 2);
  take(twice("T1", "F", "20260301101600"));
  EXPECT_EQ(resources("Observation"), 2) << "sent again";
  take(twice("T2", "C", "20260301101700"));
  EXPECT_EQ(resources("Observation"), 3);
  EXPECT_EQ(
      count("SELECT count(*) FROM resource r JOIN resource_version v USING (type, id, version)"
            " WHERE r.type = 'Observation' AND CAST(v.body AS TEXT) LIKE '%6.9%'"),
      2);
}

class AstmQuery : public AstmTest {
 protected:
  /// The records that answer Q-3 `ids`; empty: none are.
  std::string ask(std::string_view ids, std::string_view status = "O") {
    const auto query = Message::parse(
        core::cat("H|\\^&|||Analyzer\rQ|1|", ids, "||ALL||||||||", status, "\rL|1\r"));
    EXPECT_TRUE(query.ok());
    const auto asked = asked_for(**query);
    if (!asked) return {};
    const auto answer =
        held_->database().read_value<std::string>([&](crypto::Connection& connection) {
          return answer_query(connection, **query, *asked, device_, core::system_clock());
        });
    return answer.ok() ? *answer : answer.error().message();
  }
};

TEST_F(AstmQuery, IsAnsweredFromTheOrders) {
  place_order();
  EXPECT_THAT(ask("^T1"), HasSubstr("\rP|1||||Roe^Jane||19800102|F\rO|1|T1||^^^HbA1c|S|"));
  EXPECT_THAT(ask("^T1"), HasSubstr("\rL|1|F\r"));
  EXPECT_THAT(ask("^T2"), HasSubstr("\rL|1|I\r"));
  EXPECT_EQ(ask("^T1", "A"), "") << "taken back";
}

TEST_F(AstmQuery, ResultsThatComeWithAQueryAreTakenToo) {
  std::string both = message("6.1");
  both.insert(both.find("L|1|N"), "Q|1|^T1||ALL\r");
  EXPECT_EQ(take(both).outcome, Outcome::stored);
  EXPECT_EQ(resources("Observation"), 1);
  const Read read = read_message(both, device_, "192.0.2.7");
  EXPECT_EQ(read.kind, Kind::query) << "and the query is answered";
  std::string control = message("6.1", "P1", "20260301101700", "%", "F", "Q");
  control.insert(control.find("L|1|N"), "Q|1|^T1||ALL\r");
  EXPECT_EQ(take(control).outcome, Outcome::stored);
  EXPECT_EQ(resources("Observation"), 1);
}

TEST_F(AstmQuery, ForAllIsAnsweredWithWhatIsToBeDone) {
  EXPECT_THAT(ask("ALL"), HasSubstr("\rL|1|I\r"));
  place_order();
  EXPECT_THAT(ask("ALL"), HasSubstr("\rO|1|T1||^^^HbA1c|S|"));
  EXPECT_THAT(ask("^ALL"), HasSubstr("\rL|1|F\r"));
  for (int i = 0; i < 60; ++i) put_order(core::cat("many", i), of_tube(core::cat("M", i)));
  const std::string answer = ask("ALL");
  EXPECT_THAT(answer, HasSubstr("\rP|50|"));
  EXPECT_EQ(answer.find("\rP|51|"), std::string::npos);
}

TEST_F(AstmQuery, FindsTheOrderThatNamesTheSpecimen) {
  place_order();
  put("Specimen", "t9",
      core::cat(R"({"resourceType":"Specimen","id":"t9",)", of_tube("T9"),
                R"(,"subject":{"reference":"Patient/p1"}})"));
  put_order("o9", R"("specimen":[{"reference":"Specimen/t9"}])");
  EXPECT_THAT(ask("^T9"), HasSubstr("\rO|1|T9||^^^HbA1c|R|"));
  EXPECT_THAT(ask("ALL"), HasSubstr("|T9|"));
}

TEST_F(AstmQuery, ATubeOfTwoPatientsIsNobodys) {
  place_order();
  put("Patient", "p2", R"({"resourceType":"Patient","id":"p2","name":[{"family":"Poe"}]})");
  put("Specimen", "t1",
      core::cat(R"({"resourceType":"Specimen","id":"t1",)", of_tube("T1"),
                R"(,"subject":{"reference":"Patient/p2"}})"));
  EXPECT_THAT(ask("^T1"), HasSubstr("\rL|1|I\r"));
  EXPECT_EQ(ask("ALL").find("|T1|"), std::string::npos);
}

}  // namespace
}  // namespace gateway::adapters::astm
