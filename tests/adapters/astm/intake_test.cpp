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
  /// A patient with an active order for HbA1c on tube T1.
  void place_order() {
    write([](crypto::Connection& connection) -> core::Status {
      const auto put = [&](const char* type, const char* id, const char* body) -> core::Status {
        GW_TRY(const Json parsed, Json::parse(body));
        GW_TRY(const auto version,
               sync::put_resource(connection, {type, id}, parsed, "his", "2026-03-01T08:00:00Z"));
        (void)version;
        return {};
      };
      GW_CHECK(
          put("Patient", "p1",
              R"({"resourceType":"Patient","id":"p1","name":[{"family":"Roe","given":["Jane"]}],
                    "birthDate":"1980-01-02","gender":"female"})"));
      return put("ServiceRequest", "o1",
                 R"({"resourceType":"ServiceRequest","id":"o1","status":"active","intent":"order",
                    "priority":"stat","identifier":[{"system":"urn:example:tubes","value":"T1"}],
                    "code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},
                    "subject":{"reference":"Patient/p1"}})");
    });
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

TEST_F(AstmTest, AQueryIsAnsweredFromTheOrders) {
  place_order();
  const auto ask = [&](const char* tube) {
    const auto query = Message::parse(core::cat("H|\\^&|||Analyzer\rQ|1|^", tube, "||ALL\rL|1\r"));
    EXPECT_TRUE(query.ok());
    const auto answer =
        held_->database().read_value<std::string>([&](crypto::Connection& connection) {
          return answer_query(connection, **query, device_, core::system_clock());
        });
    return answer.ok() ? *answer : answer.error().message();
  };
  EXPECT_THAT(ask("T1"), HasSubstr("\rP|1||||Roe^Jane||19800102|F\rO|1|T1||^^^HbA1c|S|"));
  EXPECT_THAT(ask("T1"), HasSubstr("\rL|1|F\r"));
  EXPECT_THAT(ask("T2"), HasSubstr("\rL|1|I\r"));
  EXPECT_THAT(ask("ALL"), HasSubstr("\rL|1|I\r"));
}

}  // namespace
}  // namespace gateway::adapters::astm
