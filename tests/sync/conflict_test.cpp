// The merge: scenarios of the policy table.
#include "sync/conflict.h"

#include <gtest/gtest.h>

#include <string>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::Json;

Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return *parsed;
}

Merge merge_texts(std::string_view base, std::string_view ours, std::string_view theirs) {
  return merge({json(base), json(ours), json(theirs)}, usual_policy());
}

const GroupDecision* decision_on(const Merge& merge, std::string_view group) {
  for (const GroupDecision& decision : merge.decisions) {
    if (decision.group == group) return &decision;
  }
  return nullptr;
}

TEST(Conflict, DifferentGroupsMergeWithoutAQuestion) {
  const Merge merged = merge_texts(
      R"({"resourceType":"Patient","id":"1","meta":{"versionId":"1"},"birthDate":"1980","telecom":[{"system":"phone","value":"1"}]})",
      R"({"resourceType":"Patient","id":"1","meta":{"versionId":"1"},"birthDate":"1980","telecom":[{"system":"phone","value":"2"}]})",
      R"({"resourceType":"Patient","id":"1","meta":{"versionId":"2"},"birthDate":"1981","telecom":[{"system":"phone","value":"1"}]})");
  EXPECT_FALSE(merged.asks());
  EXPECT_EQ(
      merged.shown.dump(),
      R"({"resourceType":"Patient","id":"1","meta":{"versionId":"2"},"birthDate":"1981","telecom":[{"system":"phone","value":"2"}]})");
}

TEST(Conflict, TheClinicsIdentityEditIsAProposal) {
  const Merge merged = merge_texts(
      R"({"resourceType":"Patient","id":"1","birthDate":"1980","active":true})",
      R"({"resourceType":"Patient","id":"1","birthDate":"1980-02-01","active":true})",
      R"({"resourceType":"Patient","id":"1","birthDate":"1980","active":true,"photo":[{"url":"x"}]})");
  ASSERT_TRUE(merged.asks());
  EXPECT_EQ(merged.shown["birthDate"].text(), "1980");
  EXPECT_EQ(merged.shown["photo"].size(), 1u);
  const GroupDecision* decision = decision_on(merged, "identity");
  ASSERT_NE(decision, nullptr);
  EXPECT_EQ(decision->ours["birthDate"].text(), "1980-02-01");
  EXPECT_EQ(with_choice(merged.shown, *decision, Choice::ours)["birthDate"].text(), "1980-02-01");
}

TEST(Conflict, CoupledElementsAreTakenFromOneSideAsAWhole) {
  const Merge merged = merge_texts(
      R"({"resourceType":"Observation","id":"1","status":"final","valueQuantity":{"value":5.0,"unit":"mmol/L"}})",
      R"({"resourceType":"Observation","id":"1","status":"amended","valueQuantity":{"value":5.10,"unit":"mmol/L"}})",
      R"({"resourceType":"Observation","id":"1","status":"corrected","valueQuantity":{"value":90,"unit":"mg/dL"}})");
  ASSERT_TRUE(merged.asks());
  EXPECT_EQ(merged.shown["status"].text(), "corrected");
  EXPECT_EQ(merged.shown["valueQuantity"].dump(), R"({"value":90,"unit":"mg/dL"})");
  EXPECT_EQ(decision_on(merged, "result")->ours["valueQuantity"]["value"].number_text(), "5.10");
}

TEST(Conflict, TwoEditsOfOneResultAreAskedAboutWhateverEachChanged) {
  for (const char* type : {"Observation", "DiagnosticReport"}) {
    const auto text = [type](std::string_view rest) {
      return core::cat(R"({"resourceType":")", type, R"(","id":"1","status":"final",)", rest, "}");
    };
    const std::string base = text(R"("conclusion":"a","performer":[{"display":"x"}])");
    const std::string noted =
        text(R"("conclusion":"a","performer":[{"display":"x"}],"note":[{"text":"haemolysed"}])");
    const std::string performed = text(R"("conclusion":"a","performer":[{"display":"y"}])");
    const std::string both =
        text(R"("conclusion":"a","performer":[{"display":"y"}],"note":[{"text":"haemolysed"}])");
    for (const Merge& merged :
         {merge_texts(base, noted, performed), merge_texts(base, performed, noted)}) {
      EXPECT_TRUE(merged.asks()) << type;
      EXPECT_EQ(merged.shown, json(both)) << type;
      EXPECT_EQ(merged.decisions.size(), 2u) << type;
    }
    EXPECT_TRUE(merge_texts(base, noted, text(R"("conclusion":"a","note":[{"text":"n"}])")).asks());
    // What one side has of the other's already is no edit of its own.
    EXPECT_FALSE(merge_texts(base, both, performed).asks()) << type;
  }
}

TEST(Conflict, LabelsAreNoEditOfAResult) {
  const Merge merged = merge_texts(
      R"({"resourceType":"Observation","id":"1","status":"preliminary"})",
      R"({"resourceType":"Observation","id":"1","status":"final"})",
      R"({"resourceType":"Observation","id":"1","meta":{"security":[{"system":"c","code":"R"}]},"status":"preliminary"})");
  EXPECT_FALSE(merged.asks());
  EXPECT_EQ(merged.shown["status"].text(), "final");
}

TEST(Conflict, WhoseItIsAndWhatItSaysAreOneEdit) {
  for (const char* type :
       {"Observation", "DiagnosticReport", "MedicationRequest", "ServiceRequest"}) {
    const auto text = [type](std::string_view patient, std::string_view code) {
      return core::cat(R"({"resourceType":")", type, R"(","id":"1","status":"active","subject":)",
                       R"({"reference":"Patient/)", patient, R"("},"code":{"text":")", code,
                       R"("},"medicationCodeableConcept":{"text":")", code, R"("}})");
    };
    const Merge merged = merge_texts(text("a", "x"), text("b", "x"), text("a", "y"));
    EXPECT_TRUE(merged.asks()) << type;
    EXPECT_EQ(merged.shown["subject"]["reference"].text(), "Patient/a") << type;
  }
}

std::string prescription(std::string_view drug, std::string_view dose) {
  return core::cat(
      R"({"resourceType":"MedicationRequest","id":"1","status":"active",)",
      R"("contained":[{"resourceType":"Medication","id":"m","code":{"text":")", drug,
      R"("}}],"medicationReference":{"reference":"#m"},"dosageInstruction":[{"text":")", dose,
      R"("}]})");
}

TEST(Conflict, ADrugThatIsContainedIsNotGivenTheOthersDose) {
  const std::string base = prescription("amoxicillin", "3 x 500 mg");
  const std::string drug = prescription("methotrexate", "3 x 500 mg");
  const std::string dose = prescription("amoxicillin", "4 x 1000 mg");
  for (const auto& [ours, theirs] : {std::pair{drug, dose}, std::pair{dose, drug}}) {
    const Merge merged = merge_texts(base, ours, theirs);
    EXPECT_TRUE(merged.asks());
    EXPECT_EQ(merged.shown, json(theirs));
    EXPECT_EQ(decision_on(merged, "prescription")->ours["contained"], json(ours)["contained"]);
  }
}

TEST(Conflict, WhatIsContainedAndWhatMayReferToItAreNotMergedUnasked) {
  const auto goal = [](std::string_view contained, std::string_view priority) {
    return core::cat(R"({"resourceType":"Goal","id":"1","contained":[{"resourceType":)",
                     R"("Practitioner","id":"p","name":[{"text":")", contained,
                     R"("}]}],"expressedBy":{"reference":"#p"},"priority":{"text":")", priority,
                     R"("}})");
  };
  const std::string base = goal("Ana", "low");
  const std::string other_person = goal("Eva", "low");
  const std::string other_priority = goal("Ana", "high");
  for (const Merge& merged : {merge_texts(base, other_person, other_priority),
                              merge_texts(base, other_priority, other_person)}) {
    EXPECT_TRUE(merged.asks());
    EXPECT_EQ(merged.shown, json(goal("Eva", "high")));
  }
  EXPECT_FALSE(merge_texts(base, other_person, base).asks());
}

TEST(Conflict, AStopActsOnBothSidesWhicheverMadeIt) {
  const std::string_view base =
      R"({"resourceType":"MedicationRequest","id":"1","status":"active","dosageInstruction":[{"text":"1-0-0"}]})";
  const std::string_view stopped =
      R"({"resourceType":"MedicationRequest","id":"1","status":"stopped","dosageInstruction":[{"text":"1-0-0"}]})";
  const std::string_view held =
      R"({"resourceType":"MedicationRequest","id":"1","status":"on-hold","dosageInstruction":[{"text":"2-0-0"}]})";
  for (const bool clinic_stops : {true, false}) {
    const Merge merged =
        clinic_stops ? merge_texts(base, stopped, held) : merge_texts(base, held, stopped);
    EXPECT_EQ(merged.shown["status"].text(), "stopped") << clinic_stops;
    EXPECT_TRUE(merged.asks());
  }
}

TEST(Conflict, RetractionsAbsorbWhateverTheOtherSideDid) {
  for (const char* type : {"Observation", "Condition", "ServiceRequest", "Task", "Encounter"}) {
    const bool by_verification = std::string_view(type) == "Condition";
    const auto text = [&](std::string_view code) {
      return by_verification ? core::cat(R"({"resourceType":")", type,
                                         R"(","id":"1","verificationStatus":{"coding":[{"code":")",
                                         code, R"("}]}})")
                             : core::cat(R"({"resourceType":")", type, R"(","id":"1","status":")",
                                         code, R"("})");
    };
    const auto status = [&](const Json& resource) {
      return std::string(by_verification
                             ? resource["verificationStatus"]["coding"][0]["code"].text()
                             : resource["status"].text());
    };
    const std::string before = text(by_verification ? "confirmed" : "active");
    const std::string other = text(by_verification ? "provisional" : "completed");
    const std::string retracted = text("entered-in-error");
    EXPECT_EQ(status(merge_texts(before, retracted, other).shown), "entered-in-error") << type;
    EXPECT_EQ(status(merge_texts(before, other, retracted).shown), "entered-in-error") << type;
  }
}

TEST(Conflict, ARetractionCountsWhicheverOfItsCodingsSaysIt) {
  const auto allergy = [](std::string_view coding) {
    return core::cat(R"({"resourceType":"AllergyIntolerance","id":"1","verificationStatus":)",
                     R"({"coding":[)", coding, R"(]},"note":[{"text":"n"}]})");
  };
  const std::string before = allergy(R"({"code":"confirmed"})");
  const std::string retracted = allergy(R"({"system":"urn:local","code":"ERR"},{"system":)"
                                        R"("urn:v","code":"entered-in-error"})");
  const std::string other = allergy(R"({"code":"unconfirmed"})");
  for (const auto& [ours, theirs] : {std::pair{retracted, other}, std::pair{other, retracted}}) {
    const Merge merged = merge_texts(before, ours, theirs);
    EXPECT_EQ(merged.shown["verificationStatus"]["coding"].size(), 2u);
  }
}

TEST(Conflict, AnAllergyIsNotResolvedBehindTheOtherSidesBack) {
  const std::string_view base =
      R"({"resourceType":"AllergyIntolerance","id":"1","verificationStatus":{"coding":[{"code":"confirmed"}]},"clinicalStatus":{"coding":[{"code":"active"}]}})";
  const std::string_view resolved =
      R"({"resourceType":"AllergyIntolerance","id":"1","verificationStatus":{"coding":[{"code":"refuted"}]}})";
  const std::string_view reacted =
      R"({"resourceType":"AllergyIntolerance","id":"1","verificationStatus":{"coding":[{"code":"confirmed"}]},"clinicalStatus":{"coding":[{"code":"active"}]},"reaction":[{"severity":"severe"}]})";
  for (const Merge& merged :
       {merge_texts(base, resolved, reacted), merge_texts(base, reacted, resolved)}) {
    EXPECT_TRUE(merged.asks());
    EXPECT_EQ(merged.shown["verificationStatus"]["coding"][0]["code"].text(), "confirmed");
    EXPECT_EQ(merged.shown["reaction"].size(), 1u);
  }
}

TEST(Conflict, AnOrdersStatusIsThePlacers) {
  const Json order = json(R"({"resourceType":"ServiceRequest","id":"1","status":"draft"})");
  const Json active = json(R"({"resourceType":"ServiceRequest","id":"1","status":"active"})");
  const Json on_hold = json(R"({"resourceType":"ServiceRequest","id":"1","status":"on-hold"})");
  for (const bool placed_here : {false, true}) {
    const Merge merged = merge({order, active, on_hold, placed_here}, usual_policy());
    EXPECT_EQ(merged.shown["status"].text(), placed_here ? "active" : "on-hold");
    EXPECT_FALSE(merged.asks());
  }
}

TEST(Conflict, AnOrderThatEndedInTwoWaysIsAskedAbout) {
  const Json order = json(R"({"resourceType":"ServiceRequest","id":"1","status":"active"})");
  const Json completed = json(R"({"resourceType":"ServiceRequest","id":"1","status":"completed"})");
  const Json revoked = json(R"({"resourceType":"ServiceRequest","id":"1","status":"revoked"})");
  for (const bool placed_here : {false, true}) {
    const Merge merged = merge({order, completed, revoked, placed_here}, usual_policy());
    EXPECT_EQ(merged.shown["status"].text(), placed_here ? "completed" : "revoked");
    EXPECT_TRUE(merged.asks());
  }
}

Merge merge_tasks(std::string_view base, std::string_view ours, std::string_view theirs,
                  bool filled_here) {
  const auto task = [](std::string_view status) {
    return json(core::cat(R"({"resourceType":"Task","id":"1","status":")", status, R"("})"));
  };
  Versions versions{task(base), task(ours), task(theirs)};
  versions.ours_is_filler = filled_here;
  return merge(versions, usual_policy());
}

TEST(Conflict, ATasksStatusIsTheFillers) {
  for (const bool filled_here : {false, true}) {
    const Merge merged = merge_tasks("accepted", "in-progress", "on-hold", filled_here);
    EXPECT_EQ(merged.shown["status"].text(), filled_here ? "in-progress" : "on-hold");
    EXPECT_FALSE(merged.asks());
  }
}

TEST(Conflict, WhatOneSideEndedTheOthersAffairOrNotIsNotBegunAnew) {
  for (const bool filled_here : {false, true}) {
    const Merge theirs = merge_tasks("requested", "received", "completed", filled_here);
    EXPECT_EQ(theirs.shown["status"].text(), "completed");
    const Merge ours = merge_tasks("requested", "completed", "received", filled_here);
    EXPECT_EQ(ours.shown["status"].text(), "completed");
    EXPECT_EQ(theirs.asks(), filled_here);
    EXPECT_EQ(ours.asks(), !filled_here);
  }
  const Merge back = merge_tasks("draft", "requested", "accepted", true);
  EXPECT_EQ(back.shown["status"].text(), "accepted");
  EXPECT_TRUE(back.asks());
}

TEST(Conflict, NobodyLeavesAnEndStateUnasked) {
  const Merge merged =
      merge_texts(R"({"resourceType":"Task","id":"1","status":"completed"})",
                  R"({"resourceType":"Task","id":"1","status":"in-progress"})",
                  R"({"resourceType":"Task","id":"1","status":"completed","note":[{"text":"n"}]})");
  EXPECT_TRUE(merged.asks());
  EXPECT_EQ(merged.shown["status"].text(), "completed");
  EXPECT_TRUE(merge_tasks("completed", "failed", "completed", true).asks());
  EXPECT_TRUE(merge_tasks("entered-in-error", "ready", "entered-in-error", true).asks());
}

TEST(Conflict, AFinalResultIsNotMadePreliminaryAgain) {
  const auto text = [](std::string_view status, std::string_view value) {
    return core::cat(R"({"resourceType":"Observation","id":"1","status":")", status,
                     R"(","valueString":")", value, R"("})");
  };
  const std::string noted =
      R"({"resourceType":"Observation","id":"1","status":"final","valueString":"5","note":[{"text":"n"}]})";
  const Merge one_sided = merge_texts(text("final", "5"), text("preliminary", "5"), noted);
  EXPECT_TRUE(one_sided.asks());
  EXPECT_EQ(one_sided.shown["status"].text(), "final");
  const Merge both =
      merge_texts(text("preliminary", "5"), text("final", "5.1"), text("preliminary", "6"));
  EXPECT_TRUE(both.asks());
  EXPECT_EQ(both.shown["valueString"].text(), "5.1");
}

TEST(Conflict, AStopOfWhatTheOtherSideChangedActsAndIsAskedAbout) {
  const std::string_view base =
      R"({"resourceType":"MedicationRequest","id":"1","status":"active","dosageInstruction":[{"text":"1-0-0"}]})";
  const std::string_view dosed =
      R"({"resourceType":"MedicationRequest","id":"1","status":"active","dosageInstruction":[{"text":"2-0-0"}]})";
  for (const char* status : {"stopped", "cancelled", "entered-in-error"}) {
    const std::string ended =
        core::cat(R"({"resourceType":"MedicationRequest","id":"1","status":")", status,
                  R"(","dosageInstruction":[{"text":"1-0-0"}]})");
    for (const Merge& merged : {merge_texts(base, ended, dosed), merge_texts(base, dosed, ended)}) {
      EXPECT_TRUE(merged.asks()) << status;
      EXPECT_EQ(merged.shown["status"].text(), status);
      EXPECT_EQ(merged.shown["dosageInstruction"][0]["text"].text(), "2-0-0");
    }
    EXPECT_FALSE(merge_texts(base, ended, base).asks());
  }
}

TEST(Conflict, ARetractedBookingIsNotKept) {
  const std::string_view base =
      R"({"resourceType":"Appointment","id":"1","status":"booked","start":"2026-01-01T10:00:00Z"})";
  const std::string_view retracted =
      R"({"resourceType":"Appointment","id":"1","status":"entered-in-error","start":"2026-01-01T10:00:00Z"})";
  const std::string_view moved =
      R"({"resourceType":"Appointment","id":"1","status":"booked","start":"2026-01-01T11:00:00Z"})";
  for (const Merge& merged :
       {merge_texts(base, retracted, moved), merge_texts(base, moved, retracted)}) {
    EXPECT_EQ(merged.shown["status"].text(), "entered-in-error");
    EXPECT_TRUE(merged.asks());
  }
}

std::string condition(std::string_view verification, std::string_view clinical,
                      std::string_view rest = "") {
  return core::cat(
      R"({"resourceType":"Condition","id":"1","verificationStatus":{"coding":[{"code":")",
      verification, R"("}]},"clinicalStatus":{"coding":[{"code":")", clinical, R"("}]})", rest,
      "}");
}

TEST(Conflict, ResolvingIsAskedAboutThoughOnlyOneSideDoes) {
  const std::string base = condition("confirmed", "active");
  const std::string noted = condition("confirmed", "active", R"(,"note":[{"text":"n"}])");
  for (const std::string& resolved :
       {condition("confirmed", "resolved"), condition("confirmed", "inactive"),
        condition("confirmed", "remission"), condition("refuted", "active"),
        condition("confirmed", "active", R"(,"abatementDateTime":"2026")")}) {
    for (const Merge& merged :
         {merge_texts(base, resolved, noted), merge_texts(base, noted, resolved)}) {
      EXPECT_TRUE(merged.asks()) << resolved;
      EXPECT_EQ(merged.shown["clinicalStatus"]["coding"][0]["code"].text(), "active") << resolved;
      EXPECT_TRUE(merged.shown["abatementDateTime"].is_null());
    }
  }
  EXPECT_FALSE(merge_texts(base, condition("confirmed", "relapse"), noted).asks());
  // Nobody has said yet that it is confirmed.
  const std::string_view unsaid = R"({"resourceType":"Condition","id":"1","onsetString":"x"})";
  const std::string_view refuted =
      R"({"resourceType":"Condition","id":"1","onsetString":"x","verificationStatus":{"coding":[{"code":"refuted"}]}})";
  EXPECT_TRUE(merge_texts(unsaid, refuted, unsaid).asks());
}

TEST(Conflict, OfTwoStatusesTheOneThatStandsActs) {
  const std::string base = condition("provisional", "active", R"(,"note":[{"text":"n"}])");
  const std::string confirmed_and_over = condition("confirmed", "resolved");
  const std::string doubted_and_active = condition("unconfirmed", "active");
  for (const bool ours_is_over : {false, true}) {
    const Merge merged = ours_is_over ? merge_texts(base, confirmed_and_over, doubted_and_active)
                                      : merge_texts(base, doubted_and_active, confirmed_and_over);
    EXPECT_TRUE(merged.asks());
    EXPECT_EQ(merged.shown["clinicalStatus"]["coding"][0]["code"].text(), "active");
  }
}

TEST(Conflict, LabelsAndTagsOfBothSidesStay) {
  const Merge merged = merge_texts(
      R"({"resourceType":"Goal","id":"1","meta":{"versionId":"1","tag":[{"system":"s","code":"a"}]}})",
      R"({"resourceType":"Goal","id":"1","meta":{"security":[{"system":"c","code":"R"}],"tag":[{"system":"s","code":"a"}]}})",
      R"({"resourceType":"Goal","id":"1","meta":{"versionId":"2","security":[{"system":"c","code":"V"}]},"x":1})");
  EXPECT_FALSE(merged.asks());
  EXPECT_EQ(
      merged.shown.dump(),
      R"({"resourceType":"Goal","id":"1","meta":{"versionId":"2","security":[{"system":"c","code":"V"},{"system":"c","code":"R"}]},"x":1})");
}

TEST(Conflict, WhatAPersonWroteAsNarrativeStays) {
  const auto text = [](std::string_view status, std::string_view div, int x) {
    return core::cat(R"({"resourceType":"Goal","id":"1","text":{"status":")", status,
                     R"(","div":")", div, R"("},"x":)", x, "}");
  };
  const Merge one =
      merge_texts(text("generated", "g", 1), text("additional", "o", 1), text("generated", "h", 2));
  EXPECT_FALSE(one.asks());
  EXPECT_EQ(one.shown["text"]["div"].text(), "o");
  const Merge both = merge_texts(text("additional", "b", 1), text("additional", "o", 1),
                                 text("additional", "t", 2));
  EXPECT_TRUE(both.asks());
  EXPECT_EQ(decision_on(both, "narrative")->ours["text"]["div"].text(), "o");
  const Merge generated =
      merge_texts(text("generated", "b", 1), text("generated", "o", 3), text("generated", "t", 1));
  EXPECT_TRUE(generated.shown["text"].is_null() || generated.shown["x"].integer() == 3);
}

TEST(Conflict, AnEditSurvivesADelete) {
  const std::string_view base = R"({"resourceType":"Goal","id":"1","priority":{"text":"low"}})";
  const std::string_view edit = R"({"resourceType":"Goal","id":"1","priority":{"text":"high"}})";
  for (const Merge& merged : {merge({json(base), Json(), json(edit)}, usual_policy()),
                              merge({json(base), json(edit), Json()}, usual_policy())}) {
    EXPECT_TRUE(merged.asks());
    EXPECT_EQ(merged.shown["priority"]["text"].text(), "high");
  }
  EXPECT_TRUE(merge({json(base), Json(), json(base)}, usual_policy()).shown.is_null());
  EXPECT_TRUE(merge({json(base), json(base), Json()}, usual_policy()).shown.is_null());
}

TEST(Conflict, WhatTheTableDoesNotNameIsAsked) {
  const Merge merged = merge_texts(R"({"resourceType":"Goal","id":"1","x":1,"y":1})",
                                   R"({"resourceType":"Goal","id":"1","x":2,"y":1})",
                                   R"({"resourceType":"Goal","id":"1","x":3,"y":2})");
  ASSERT_EQ(merged.decisions.size(), 1u);
  EXPECT_TRUE(merged.asks());
  EXPECT_EQ(merged.shown.dump(), R"({"resourceType":"Goal","id":"1","x":3,"y":2})");
}

}  // namespace
}  // namespace gateway::sync
