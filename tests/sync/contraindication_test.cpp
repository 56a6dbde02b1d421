// A prescription of one side against an allergy of the other.
#include "sync/contraindication.h"

#include "sync/review.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

constexpr std::string_view kPenicillinAllergy =
    R"({"resourceType":"AllergyIntolerance","id":"a1","meta":{"versionId":"1"},)"
    R"("code":{"coding":[{"system":"urn:drugs","code":"penicillin"}]},)"
    R"("patient":{"reference":"Patient/p1"}})";
constexpr std::string_view kAmoxicillin =
    R"({"resourceType":"MedicationRequest","id":"m1","meta":{"versionId":"1"},"status":"active",)"
    R"("intent":"order","medicationCodeableConcept":{"coding":[{"system":"urn:drugs","code":"amoxicillin"}]},)"
    R"("subject":{"reference":"Patient/p1"}})";

class ContraindicationTest : public RecordsTest {
 protected:
  void SetUp() override {
    RecordsTest::SetUp();
    for (const char* id : {"p1", "p2"}) {
      const std::string patient =
          core::cat(R"({"resourceType":"Patient","id":")", id, R"(","meta":{"versionId":"1"}})");
      ASSERT_EQ(pull(patient), Applied::applied);
    }
  }
  void enter_here(const ResourceKey& key, std::string_view json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(json));
      return put_resource(c, key, body, "clinic", kNow).ok()
                 ? core::Status()
                 : core::Error(core::Code::internal, "put");
    });
  }
  void hospital_has(const ResourceKey& key) {
    write([&](Connection& c) { return put_base(c, "his", key, {"1", 1}); });
  }
  void queue(const ResourceKey& key) {
    write([&](Connection& c) -> core::Status {
      return queue_row(c, "his", "resource", key.text(), 0, std::nullopt, kNow).ok()
                 ? core::Status()
                 : core::Error(core::Code::internal, "queue");
    });
  }
  void decide(std::int64_t number) { decide_all(number, GroupAnswer::Take::ours); }
  static std::string changed(std::string_view json,
                             const std::vector<std::pair<std::string, std::string>>& with) {
    std::string text(json);
    for (const auto& [from, to] : with) text.replace(text.find(from), from.size(), to);
    return text;
  }
  std::int64_t open_of(const std::string& id) {
    return count(core::cat("SELECT count(*) FROM review WHERE state = 'open' AND id = '", id, "'"));
  }
  const ResourceKey allergy_{"AllergyIntolerance", "a1"};
  const ResourceKey prescription_{"MedicationRequest", "m1"};
};

TEST_F(ContraindicationTest, AnAllergyFromTheHospitalMeetsAPrescriptionOfTheClinic) {
  enter_here(prescription_, kAmoxicillin);
  EXPECT_EQ(pull(kPenicillinAllergy), Applied::applied);
  EXPECT_EQ(open_of("m1"), 1);
  EXPECT_EQ(pull(kPenicillinAllergy), Applied::unchanged);
  EXPECT_EQ(open_of("m1"), 1);
}

TEST_F(ContraindicationTest, ADrugThatIsContainedIsKnownByWhatItSaysAndWhatItIsMadeOf) {
  const auto containing = [](std::string_view drug, std::string_view ingredient) {
    auto parsed = Json::parse(core::cat(
        R"({"resourceType":"MedicationRequest","id":"m1","status":"active",)",
        R"("medicationReference":{"reference":"#drug"},"contained":[{"resourceType":"Medication",)",
        R"("id":"drug","code":{"coding":[{"system":"urn:drugs","code":")", drug,
        R"("}]},"ingredient":[{"itemCodeableConcept":{"coding":[{"system":"urn:drugs","code":")",
        ingredient, R"("}]}}]}]})"));
    return parsed.value();
  };
  const Json allergy = Json::parse(kPenicillinAllergy).value();
  EXPECT_FALSE(may_harm(containing("ibuprofen", "ibuprofen"), allergy, true));
  EXPECT_TRUE(may_harm(containing("penicillin", "x"), allergy, true));
  EXPECT_TRUE(may_harm(containing("angina kit", "penicillin"), allergy, true));
}

TEST_F(ContraindicationTest, AnotherDrugInWhatAPrescriptionContainsIsAnotherPrescription) {
  const auto with_drug = [&](std::string_view version, std::string_view drug) {
    return core::cat(R"({"resourceType":"MedicationRequest","id":"m1","meta":{"versionId":")",
                     version, R"("},"status":"active","intent":"order","contained":[{)",
                     R"("resourceType":"Medication","id":"d","code":{"text":")", drug,
                     R"("}}],"medicationReference":{"reference":"#d"},)",
                     R"("subject":{"reference":"Patient/p1"}})");
  };
  EXPECT_EQ(pull(with_drug("1", "ibuprofen")), Applied::applied);
  enter_here(allergy_, kPenicillinAllergy);
  EXPECT_EQ(open_of("m1"), 0);
  EXPECT_EQ(pull(with_drug("2", "amoxicillin")), Applied::applied);
  EXPECT_EQ(open_of("m1"), 1);
}

TEST_F(ContraindicationTest, APrescriptionFromTheHospitalMeetsAnAllergyOfTheClinic) {
  enter_here(allergy_, kPenicillinAllergy);
  EXPECT_EQ(pull(kAmoxicillin), Applied::applied);
  EXPECT_EQ(open_of("m1"), 1);
  EXPECT_EQ(pull(kAmoxicillin), Applied::unchanged);
  EXPECT_EQ(open_of("m1"), 1);
}

TEST_F(ContraindicationTest, ThePersonReadsWhatMeetsWhatAndThePatientIsInTheAuditTrail) {
  enter_here(allergy_, kPenicillinAllergy);
  EXPECT_EQ(pull(kAmoxicillin), Applied::applied);
  write([&](Connection& c) -> core::Status {
    GW_TRY(const Json review, review_report(c, 1));
    const std::string_view reason = review["decisions"][std::size_t{0}]["reason"].text();
    EXPECT_TRUE(
        reason.starts_with("amoxicillin was prescribed on one side and allergy to "
                           "penicillin (AllergyIntolerance/a1) recorded on the other"))
        << reason;
    return {};
  });
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'flag' AND patient = 'Patient/p1'"),
            1);
}

TEST_F(ContraindicationTest, NothingWaitsForThePersonAndWhatIsDecidedChangesNothing) {
  enter_here(prescription_, kAmoxicillin);
  queue(prescription_);
  EXPECT_EQ(pull(kPenicillinAllergy), Applied::applied);
  write([&](Connection& c) -> core::Status {
    GW_TRY(const Claim claim, claim_rows(c, "his", {10, 1u << 20, {}, {}}));
    EXPECT_EQ(claim.rows.size(), 1u);
    return {};
  });
  const std::int64_t versions = count("SELECT count(*) FROM resource_version");
  decide(count("SELECT number FROM review"));
  EXPECT_EQ(open_of("m1"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), versions);
}

TEST_F(ContraindicationTest, AReviewOfAPrescriptionThatWasDeletedSinceCanBeClosed) {
  enter_here(prescription_, kAmoxicillin);
  EXPECT_EQ(pull(kPenicillinAllergy), Applied::applied);
  write([&](Connection& c) -> core::Status {
    return delete_resource(c, prescription_, "clinic", kNow).ok()
               ? core::Status()
               : core::Error(core::Code::internal, "delete");
  });
  const std::int64_t versions = count("SELECT count(*) FROM resource_version");
  decide(count("SELECT number FROM review"));
  EXPECT_EQ(open_of("m1"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), versions);
}

TEST_F(ContraindicationTest, RecordsTheHospitalMergesMeetEachOther) {
  const auto record = [](const char* id, const char* version, const char* link) {
    return core::cat(R"({"resourceType":"Patient","id":")", id, R"(","meta":{"versionId":")",
                     version, "\"}", link, "}");
  };
  constexpr char kReplaced[] =
      R"(,"link":[{"type":"replaced-by","other":{"reference":"Patient/p1"}}])";
  pull(record("p1", "1", ""));
  pull(record("p2", "1", ""));
  pull(kAmoxicillin);
  pull(changed(kPenicillinAllergy, {{"\"a1\"", "\"a2\""}, {"Patient/p1", "Patient/p2"}}));
  enter_here(allergy_, changed(kPenicillinAllergy, {{"Patient/p1", "Patient/p2"}}));
  EXPECT_EQ(open_of("m1"), 0) << "two people";
  pull(record("p2", "2", kReplaced));
  EXPECT_EQ(open_of("m1"), 1) << "one person; the two from the hospital are its own affair";
  // Parted and merged again while somebody is still asked: no second question.
  pull(record("p2", "3", ""));
  pull(record("p2", "4", kReplaced));
  EXPECT_EQ(open_of("m1"), 1);
  pull(record(
      "p2", "5",
      R"(,"link":[{"type":"replaced-by","other":{"reference":"Patient/p1"}}],"active":false)"));
  EXPECT_EQ(open_of("m1"), 1);
}

TEST_F(ContraindicationTest, OtherPatientsAndWhatTheHospitalKnewAskNobody) {
  enter_here(allergy_, kPenicillinAllergy);
  hospital_has(allergy_);
  EXPECT_EQ(pull(kAmoxicillin), Applied::applied);
  EXPECT_EQ(pull(changed(kAmoxicillin, {{"\"m1\"", "\"m2\""}, {"Patient/p1", "Patient/p2"}})),
            Applied::applied);
  EXPECT_EQ(count("SELECT count(*) FROM review"), 0);
}

TEST_F(ContraindicationTest, BothOfTheHospitalAreItsOwnAffair) {
  EXPECT_EQ(pull(kPenicillinAllergy), Applied::applied);
  EXPECT_EQ(pull(kAmoxicillin), Applied::applied);
  EXPECT_EQ(count("SELECT count(*) FROM review"), 0);
}

TEST_F(ContraindicationTest, OneThatBecomesDangerousLaterIsHeldAgainstTheOtherSideThen) {
  const auto changed_to = [](std::string_view status, std::string_view version) {
    return changed(kAmoxicillin,
                   {{"\"active\"", core::cat('"', status, '"')},
                    {"\"versionId\":\"1\"", core::cat("\"versionId\":\"", version, '"')}});
  };
  enter_here(allergy_, kPenicillinAllergy);
  EXPECT_EQ(pull(changed_to("completed", "1")), Applied::applied);
  EXPECT_EQ(open_of("m1"), 0);
  EXPECT_EQ(pull(changed_to("active", "2")), Applied::applied);
  EXPECT_EQ(open_of("m1"), 1);
  EXPECT_EQ(pull(changed_to("on-hold", "3")), Applied::applied);
  EXPECT_EQ(open_of("m1"), 1);
}

TEST_F(ContraindicationTest, AnotherSubstanceThatCameIntoAMergeIsHeldAgainstTheOtherSideToo) {
  enter_here(allergy_, kPenicillinAllergy);
  EXPECT_EQ(pull(kAmoxicillin), Applied::applied);
  EXPECT_EQ(open_of("m1"), 1);
  enter_here(prescription_,
             changed(kAmoxicillin, {{"\"active\"", R"("active","note":[{"text":"n"}])"}}));
  queue(prescription_);
  EXPECT_EQ(pull(changed(kAmoxicillin, {{"amoxicillin", "ampicillin"},
                                        {"\"versionId\":\"1\"", "\"versionId\":\"2\""}})),
            Applied::applied);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'merge'"), 1);
  EXPECT_EQ(open_of("m1"), 2);
}

TEST_F(ContraindicationTest, OnlyCodesOfOneSystemAreBelievedToDiffer) {
  const Json allergy = *Json::parse(kPenicillinAllergy);
  Json prescription = *Json::parse(kAmoxicillin);
  EXPECT_FALSE(may_harm(prescription, allergy, true));
  EXPECT_TRUE(may_harm(prescription, allergy, false));
  prescription.set("medicationCodeableConcept", *Json::parse(R"({"text":"amoxicillin"})"));
  EXPECT_TRUE(may_harm(prescription, allergy, true));
  prescription.set("medicationCodeableConcept",
                   *Json::parse(R"({"coding":[{"code":"amoxicillin"}]})"));
  EXPECT_TRUE(may_harm(prescription, allergy, true));
  prescription.set("status", "stopped");
  EXPECT_FALSE(may_harm(prescription, allergy, false));
}

}  // namespace
}  // namespace gateway::sync
