// What people make of a review: a side, what is held now, or words of their own; and what must not
// be undone unseen.
#include "sync/review.h"

#include "sync/outbox.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using Take = GroupAnswer::Take;

class ReviewTest : public RecordsTest {
 protected:
  static std::string patient(const char* version, const char* family, const char* gender,
                             const char* more = "") {
    return core::cat(R"({"resourceType":"Patient","id":"p1","meta":{"versionId":")", version,
                     R"("},"name":[{"family":")", family, R"("}],"gender":")", gender, "\"", more,
                     "}");
  }
  void clinic_enters(const ResourceKey& key, std::string_view json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(json));
      GW_CHECK(put_resource(c, key, body, "clinic", kNow));
      GW_CHECK(queue_row(c, "his", "resource", key.text(), 0, std::nullopt, kNow));
      return {};
    });
  }
  std::int64_t waiting() {
    return count("SELECT count(*) FROM outbox WHERE subject = 'Patient/p1'");
  }
  /// Both sides changed the name, a person is asked, and the hospital's is shown and agreed.
  void dispute() {
    pull(patient("1", "Roe", "female"));
    clinic_enters(patient_, patient("1", "Rowe", "female"));
    pull(patient("2", "Row", "female"));
    ASSERT_EQ(waiting(), 0) << "nothing to be sent while it is asked";
  }
  Json shown(const ResourceKey& key) {
    auto held = held_->database().read_value<Json>([&](Connection& c) -> core::Result<Json> {
      GW_TRY(auto found, read_resource(c, key));
      return found ? found->body : Json();
    });
    return held.ok() ? *held : Json();
  }
  std::string family() {
    return std::string(shown(patient_)["name"][std::size_t{0}]["family"].text());
  }
  Json report(std::int64_t number) {
    auto made =
        held_->database().read_value<Json>([&](Connection& c) { return review_report(c, number); });
    EXPECT_TRUE(made.ok());
    return made.ok() ? *made : Json();
  }
  core::Status take(Take what, std::int64_t seen = 0) {
    ReviewAnswer wanted;
    wanted.otherwise.take = what;
    wanted.seen = seen;
    return answer(1, wanted);
  }
  core::Status edit(const char* group, std::string_view elements) {
    auto parsed = Json::parse(elements);
    EXPECT_TRUE(parsed.ok());
    ReviewAnswer wanted;
    wanted.groups[group].edit = *parsed;
    return answer(1, wanted);
  }

  const ResourceKey patient_{"Patient", "p1"};
};

TEST_F(ReviewTest, WhatTheHospitalSaidSinceIsNotUndoneUnseen) {
  dispute();
  pull(patient("3", "Rau", "female"));
  EXPECT_TRUE(report(1)["decisions"][std::size_t{0}]["is_stale"].boolean());
  EXPECT_EQ(report(1)["decisions"][std::size_t{0}]["now"]["name"][std::size_t{0}]["family"].text(),
            "Rau");
  for (const Take side : {Take::ours, Take::theirs, Take::merged}) {
    const auto refused = take(side);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), core::Code::exists);
    EXPECT_EQ(refused.error().message().find("Rau"), std::string::npos) << "no patient's name";
  }
  EXPECT_EQ(edit("identity", R"({"gender":"other"})").error().code(), core::Code::exists);
  EXPECT_EQ(family(), "Rau");
  EXPECT_EQ(report(1)["state"].text(), "open");
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'decide'"), 0);

  // Whoever has looked may.
  const std::int64_t seen = report(1)["held_version"].integer().value_or(0);
  EXPECT_FALSE(take(Take::ours, seen - 1).ok());
  ASSERT_TRUE(take(Take::ours, seen).ok());
  EXPECT_EQ(family(), "Rowe");
  EXPECT_EQ(waiting(), 1);
}

TEST_F(ReviewTest, TheHospitalIsToldByWhatRuleItsValueWasKept) {
  dispute();
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'his' AND state = 'waiting'"
                  " AND subject LIKE 'Provenance/%'"),
            1);
  const auto told =
      Json::parse(text("SELECT body FROM resource_version WHERE type = 'Provenance'"));
  ASSERT_TRUE(told.ok());
  EXPECT_EQ((*told)["target"][std::size_t{0}]["reference"].text(), "Patient/p1");
  EXPECT_EQ((*told)["activity"]["text"].text(), core::cat("merged under policy ", kPolicyVersion));
}

TEST_F(ReviewTest, WhatIsHeldNowMayStay) {
  dispute();
  pull(patient("3", "Rau", "female"));
  ASSERT_TRUE(take(Take::held).ok());
  EXPECT_EQ(family(), "Rau");
  EXPECT_EQ(report(1)["state"].text(), "decided");
  EXPECT_EQ(waiting(), 0);
  // None of the sides is that value: nobody undoes it by the review alone.
  EXPECT_EQ(take(Take::theirs).error().code(), core::Code::exists);
}

TEST_F(ReviewTest, WhatChangedElsewhereInTheResourceHindersNobody) {
  dispute();
  pull(patient("3", "Row", "female", R"(,"maritalStatus":{"text":"married"})"));
  ASSERT_TRUE(take(Take::ours).ok());
  EXPECT_EQ(family(), "Rowe");
  EXPECT_EQ(shown(patient_)["maritalStatus"]["text"].text(), "married");
  // And back, and forth again.
  ASSERT_TRUE(take(Take::theirs).ok());
  ASSERT_TRUE(take(Take::ours).ok());
  EXPECT_EQ(family(), "Rowe");
}

TEST_F(ReviewTest, APersonMayWriteElementsOfTheGroup) {
  dispute();
  EXPECT_EQ(edit("identity", R"({"telecom":[]})").error().code(), core::Code::invalid);
  EXPECT_EQ(edit("identity", R"({"gender":""})").error().code(), core::Code::invalid);
  EXPECT_EQ(edit("no such", R"({"name":[]})").error().code(), core::Code::invalid);
  ASSERT_TRUE(
      edit("identity", R"({"name":[{"family":"Roh"}],"birthDate":"1980-01-02","gender":null})")
          .ok());
  const Json now = shown(patient_);
  EXPECT_EQ(family(), "Roh");
  EXPECT_EQ(now["birthDate"].text(), "1980-01-02");
  EXPECT_TRUE(now["gender"].is_null());
  EXPECT_EQ(waiting(), 1);
  EXPECT_EQ(report(1)["state"].text(), "decided");
}

TEST_F(ReviewTest, TheLosingValueOfAMergeNobodyWasAskedAboutComesBack) {
  const auto order = [](const char* version, const char* status) {
    return core::cat(R"({"resourceType":"ServiceRequest","id":"s1","meta":{"versionId":")", version,
                     R"("},"status":")", status,
                     R"(","intent":"order","subject":{"reference":"Patient/p1"}})");
  };
  pull(patient("1", "Roe", "female"));
  pull(order("1", "active"));
  clinic_enters({"ServiceRequest", "s1"}, order("1", "on-hold"));
  pull(order("2", "completed"));
  ASSERT_EQ(report(1)["state"].text(), "merged");
  ASSERT_EQ(shown({"ServiceRequest", "s1"})["status"].text(), "completed") << "the placer says";
  ASSERT_TRUE(take(Take::ours).ok());
  EXPECT_EQ(shown({"ServiceRequest", "s1"})["status"].text(), "on-hold");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject = 'ServiceRequest/s1'"), 1);
}

TEST_F(ReviewTest, AnAnswerDeletedSinceCanOnlyBeClosed) {
  dispute();
  write([&](Connection& c) -> core::Status {
    GW_CHECK(delete_resource(c, patient_, "his", kNow));
    return {};
  });
  EXPECT_EQ(take(Take::ours).error().code(), core::Code::not_found);
  EXPECT_TRUE(take(Take::held).ok());
  EXPECT_TRUE(shown(patient_).is_null());
}

TEST_F(ReviewTest, ADecisionReachesTheWorklist) {
  pull(kPatient);
  pull(kOrder);
  std::string ours(kPatient);
  ours.replace(ours.find("Roe"), 3, "Rowe");
  clinic_enters(patient_, ours);
  std::string theirs(kPatient);
  theirs.replace(theirs.find("Roe"), 3, "Row");
  theirs.replace(theirs.find(R"("versionId":"1")"), 15, R"("versionId":"2")");
  pull(theirs);
  ASSERT_EQ(worklist().size(), 1u);
  EXPECT_EQ(worklist()[0].patient_name, "Row^Jane");
  ASSERT_TRUE(take(Take::ours).ok());
  EXPECT_EQ(worklist()[0].patient_name, "Rowe^Jane");
}

}  // namespace
}  // namespace gateway::sync
