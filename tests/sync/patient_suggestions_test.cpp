// Whom a message without a patient may be about: scored, with the reasons, and assigned to nobody.
#include "sync/patient_suggestions.h"

#include <gmock/gmock.h>

#include "sync/letter_walk.h"
#include "sync/name_likeness.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using core::cat;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kTubes[] = "urn:example:tubes";

TEST(NameLikeness, IsOfASlipOfTheHandOrTheEar) {
  EXPECT_EQ(likeness("roe", "roe"), Likeness::same);
  for (const auto& [one, other] :
       {std::pair{"jane", "jnae"}, std::pair{"phiri", "firi"}, std::pair{"banda", "band"},
        std::pair{"mwanza", "mwamza"}, std::pair{"stephen", "steven"},
        std::pair{"chikondi", "chikhondi"}}) {
    EXPECT_EQ(likeness(one, other), Likeness::near) << one << " " << other;
    EXPECT_EQ(likeness(other, one), Likeness::near) << other << " " << one;
  }
  for (const auto& [one, other] :
       {std::pair{"mary", "noor"}, std::pair{"jo", "jon"}, std::pair{"roe", "banda"},
        std::pair{"anna", "hanneke"}, std::pair{"", "roe"}, std::pair{"", ""}}) {
    EXPECT_EQ(likeness(one, other), Likeness::other) << one << " " << other;
  }
  EXPECT_EQ(likeness(std::string(500, 'a'), std::string(500, 'b')), Likeness::other);
}

class PatientSuggestions : public RecordsTest {
 protected:
  void put(const std::string& type, const std::string& id, const std::string& more) {
    const auto body =
        Json::parse(cat(R"({"resourceType":")", type, R"(","id":")", id, "\",", more, "}"));
    ASSERT_TRUE(body.ok()) << more;
    write([&](Connection& c) -> core::Status {
      GW_CHECK(put_resource(c, {type, id}, *body, "his", kNow));
      return {};
    });
  }
  void put_patient(const std::string& id, const std::string& family, const std::string& given,
                   const std::string& born, const std::string& more = "") {
    put("Patient", id,
        cat(R"("identifier":[{"system":"urn:oid:2.25.1","value":"N-)", id,
            R"("}],"name":[{"family":")", family, R"(","given":[")", given,
            R"("]}],"gender":"female")", more, R"(,"birthDate":")", born, "\""));
  }
  void put_order(const std::string& id, const std::string& number, const std::string& patient,
                 const std::string& status = "active", const std::string& system = kTubes) {
    put("ServiceRequest", id,
        cat(R"("status":")", status, R"(","intent":"order","identifier":[{"system":")", system,
            R"(","value":")", number, R"("}],"subject":{"reference":"Patient/)", patient, R"("})"));
  }
  /// A message that says so of its patient.
  static IncomingMessage message(const std::string& family, const std::string& given,
                                 const std::string& born) {
    IncomingMessage made;
    Json& body = made.patient.draft.body;
    body = Json::object({{"resourceType", "Patient"}});
    if (!family.empty() || !given.empty()) {
      body.set(
          "name",
          Json::array({Json::object({{"family", family}, {"given", Json::array({Json(given)})}})}));
    }
    if (!born.empty()) body.set("birthDate", born);
    return made;
  }
  /// Each as "id score because/but".
  std::vector<std::string> suggested(const IncomingMessage& message) {
    const auto found = held_->database().read_value<Json>(
        [&](Connection& c) { return suggest_patients(c, message); });
    EXPECT_TRUE(found.ok()) << (found.ok() ? "" : found.error().message());
    std::vector<std::string> lines;
    if (!found.ok()) return lines;
    const auto joined = [](const Json& texts) {
      std::string all;
      for (const Json& one : texts.items()) all += cat(all.empty() ? "" : ",", one.text());
      return all;
    };
    for (const Json& one : found->items()) {
      lines.push_back(cat(one["patient"].text(), " ", one["score"].number_text(), " ",
                          joined(one["because"]), "/", joined(one["but"])));
    }
    return lines;
  }
};

TEST_F(PatientSuggestions, NameAndBirthDateLeadToThePersonAndToThoseNearby) {
  put_patient("jane", "Roe", "Jane", "1980-01-02");
  put_patient("jnae", "Row", "Jnae", "1980-02-01");
  put_patient("swapped", "Jane", "Roe", "1980-01-02");
  put_patient("stranger", "Banda", "Grace", "1980-01-02");
  put_patient("namesake", "Roe", "Jane", "1955-07-30");
  EXPECT_THAT(suggested(message("ROE", "Jane Ann", "1980-01-02")),
              ElementsAre("jane 60 name,birth_date/", "swapped 47 near_name,birth_date/",
                          "jnae 32 near_name,near_birth_date/"));
  // A birth date alone is a coincidence, and the other one weighs against the namesake.
  EXPECT_THAT(suggested(message("", "", "1980-01-02")), IsEmpty());
  EXPECT_THAT(suggested(message("Roe", "Jane", "")),
              ElementsAre("jane 35 name/", "namesake 35 name/"));
}

TEST_F(PatientSuggestions, AccentsAndCaseAreNoDifference) {
  put_patient("p1", "Nuñez", "José María", "1980-01-02");
  EXPECT_THAT(suggested(message("NUNEZ", "Jose", "1980-01-02")),
              ElementsAre("p1 60 name,birth_date/"));
}

TEST_F(PatientSuggestions, ANumberSpeaksForItselfAndLessUnderAnotherIssuer) {
  put_patient("p1", "Roe", "Jane", "1980-01-02");
  IncomingMessage told = message("", "", "");
  told.patient.ids.push_back({kIssuer, "N-p1"});
  EXPECT_THAT(suggested(told), ElementsAre("p1 50 identifier/"));
  IncomingMessage other = message("Roe", "Jane", "1980-01-03");
  other.patient.draft.body.set("gender", "male");
  other.patient.draft.body.set("identifier", Json::array({Json::object({{"value", "N-p1"}})}));
  EXPECT_THAT(suggested(other),
              ElementsAre("p1 60 identifier_of_another,name,near_birth_date/other_sex"));
}

TEST_F(PatientSuggestions, AnOrderOfTheSpecimenSaysWhose) {
  put_patient("p1", "Roe", "Jane", "1980-01-02");
  put_patient("p2", "Banda", "Grace", "1990-05-05");
  put_patient("p3", "Mwale", "Ada", "1991-05-05");
  put_order("s1", "TUBE-1", "p1");
  put_order("s2", "TUBE-1", "p2", "completed");
  put_order("s3", "7", "p3", "active", "urn:another");
  IncomingMessage told = message("", "", "");
  told.patient.carriers.push_back({kTubes, "TUBE-1"});
  told.patient.carriers.push_back({kTubes, "7"});
  EXPECT_THAT(suggested(told), ElementsAre("p1 50 order/", "p2 30 order_number/"));
  // What a result is based on counts, too.
  IncomingMessage based = message("", "", "");
  Draft draft;
  draft.body = Json::object({{"resourceType", "Observation"}});
  const Json number = Json::object({{"system", "urn:own:PLAC"}, {"value", "TUBE-1"}});
  draft.body.set("basedOn", Json::array({Json::object({{"identifier", number}})}));
  based.drafts.push_back(draft);
  EXPECT_THAT(suggested(based), ElementsAre("p1 30 order_number/", "p2 30 order_number/"));
}

TEST_F(PatientSuggestions, OfAReplacedRecordTheOneThatStaysIsNamedOnce) {
  put_patient("old", "Roe", "Jane", "1980-01-02",
              R"(,"link":[{"other":{"reference":"Patient/new"},"type":"replaced-by"}])");
  put_patient("new", "Roe", "Jane", "1980-01-02");
  EXPECT_THAT(suggested(message("Roe", "Jane", "1980-01-02")),
              ElementsAre("new 60 name,birth_date/"));
}

TEST_F(PatientSuggestions, AreFewTheLikeliestFirst) {
  for (int i = 0; i < 9; ++i) put_patient(cat("p", i), "Roe", "Jane", cat("1980-01-1", i));
  const auto found = suggested(message("Roe", "Jane", "1980-01-15"));
  ASSERT_EQ(found.size(), kSuggestionsMax);
  EXPECT_EQ(found[0], "p5 60 name,birth_date/");
  EXPECT_EQ(count("SELECT count(*) FROM message"), 0);
}

class LetterWalk : public RecordsTest {
 protected:
  void put_letter(int number, const std::string& device, const std::string& state,
                  const std::string& reason, const std::string& digest = "x'01'") {
    write([&](Connection& c) {
      return c.run(cat("INSERT INTO message (number, device, control_id, digest, kind, received_at,"
                       " event_at, state, reason, patient, became, answer) VALUES (",
                       number, ", ?, '', ", digest, ", 'ORU^R01', '', '', ?, ?, '', '', '')"),
                   device, state, reason);
    });
  }
  std::vector<std::int64_t> behind(const LetterFilter& filter, std::int64_t after,
                                   std::size_t count_max = 10) {
    using Numbers = std::vector<std::int64_t>;
    auto found = held_->database().read_value<Numbers>(
        [&](Connection& c) { return letters_behind(c, filter, after, count_max); });
    EXPECT_TRUE(found.ok());
    return found.ok() ? *found : Numbers();
  }
};

TEST_F(LetterWalk, NamesThoseThatWaitPageByPage) {
  put_letter(1, "lab", "dead", "value HB came in mg/L");
  put_letter(2, "lab", "stored", "");
  put_letter(3, "lab", "dead", "the device has not sent the rest of this message", "x''");
  put_letter(4, "chem", "unassigned", "no patient id was sent");
  put_letter(5, "lab", "unassigned", "no patient id was sent");
  EXPECT_THAT(behind({}, 0), ElementsAre(1, 4, 5));
  EXPECT_THAT(behind({}, 0, 2), ElementsAre(1, 4));
  EXPECT_THAT(behind({}, 4), ElementsAre(5));
  EXPECT_THAT(behind({"lab", ""}, 0), ElementsAre(1, 5));
  EXPECT_THAT(behind({"lab", "came in"}, 0), ElementsAre(1));
  EXPECT_THAT(behind({"", "%"}, 0), IsEmpty());
}

}  // namespace
}  // namespace gateway::sync
