// The merge: scenarios of the policy table, and properties over random edits.
#include "sync/conflict.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "core/text.h"
#include "sync/array_union.h"
#include "sync/fhir/same_content.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::Json;

Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return *parsed;
}

Merge merge_texts(std::string_view base, std::string_view ours, std::string_view theirs) {
  return merge({json(base), json(ours), json(theirs)});
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

TEST(Conflict, AnOrdersStatusIsThePlacersAndATasksTheFillers) {
  const std::string_view order = R"({"resourceType":"ServiceRequest","id":"1","status":"active"})";
  const std::string_view completed =
      R"({"resourceType":"ServiceRequest","id":"1","status":"completed"})";
  const std::string_view revoked =
      R"({"resourceType":"ServiceRequest","id":"1","status":"revoked"})";
  const Merge placed_there = merge({json(order), json(completed), json(revoked)});
  EXPECT_EQ(placed_there.shown["status"].text(), "revoked");
  EXPECT_FALSE(placed_there.asks());
  const Merge placed_here = merge({json(order), json(completed), json(revoked), true});
  EXPECT_EQ(placed_here.shown["status"].text(), "completed");

  const Merge task = merge_texts(R"({"resourceType":"Task","id":"1","status":"ready"})",
                                 R"({"resourceType":"Task","id":"1","status":"completed"})",
                                 R"({"resourceType":"Task","id":"1","status":"on-hold"})");
  EXPECT_EQ(task.shown["status"].text(), "completed");
  EXPECT_FALSE(task.asks());
}

TEST(Conflict, NobodyLeavesAnEndStateUnasked) {
  const Merge merged =
      merge_texts(R"({"resourceType":"Task","id":"1","status":"completed"})",
                  R"({"resourceType":"Task","id":"1","status":"in-progress"})",
                  R"({"resourceType":"Task","id":"1","status":"completed","note":[{"text":"n"}]})");
  EXPECT_TRUE(merged.asks());
  EXPECT_EQ(merged.shown["status"].text(), "completed");
}

TEST(Conflict, AnEditSurvivesADelete) {
  const std::string_view base = R"({"resourceType":"Goal","id":"1","priority":{"text":"low"}})";
  const std::string_view edit = R"({"resourceType":"Goal","id":"1","priority":{"text":"high"}})";
  for (const Merge& merged :
       {merge({json(base), Json(), json(edit)}), merge({json(base), json(edit), Json()})}) {
    EXPECT_TRUE(merged.asks());
    EXPECT_EQ(merged.shown["priority"]["text"].text(), "high");
  }
  EXPECT_TRUE(merge({json(base), Json(), json(base)}).shown.is_null());
  EXPECT_TRUE(merge({json(base), json(base), Json()}).shown.is_null());
}

TEST(Conflict, WhatTheTableDoesNotNameIsAsked) {
  const Merge merged = merge_texts(R"({"resourceType":"Goal","id":"1","x":1,"y":1})",
                                   R"({"resourceType":"Goal","id":"1","x":2,"y":1})",
                                   R"({"resourceType":"Goal","id":"1","x":3,"y":2})");
  ASSERT_EQ(merged.decisions.size(), 1u);
  EXPECT_TRUE(merged.asks());
  EXPECT_EQ(merged.shown.dump(), R"({"resourceType":"Goal","id":"1","x":3,"y":2})");
}

TEST(ArrayUnion, GoesByKeyAndNeverByIndex) {
  const std::string_view key[] = {"system"};
  const auto united =
      unite({json(R"([{"system":"a","v":1},{"system":"b","v":1}])"),
             json(R"([{"system":"b","v":2},{"system":"c","v":1}])"),
             json(R"([{"system":"d","v":1},{"system":"a","v":1},{"system":"b","v":1}])")},
            key);
  EXPECT_EQ(united.disputed, "");
  EXPECT_EQ(united.items.dump(),
            R"([{"system":"d","v":1},{"system":"b","v":2},{"system":"c","v":1}])");
}

TEST(ArrayUnion, DisputesOnlyWhatBothChanged) {
  const std::string_view key[] = {"use"};
  const UnionSides sides{json(R"([{"use":"home","v":1}])"), json(R"([{"use":"home","v":2}])"),
                         json(R"([{"use":"home","v":3}])")};
  EXPECT_NE(unite(sides, key).disputed, "");
  UnionSides ours_confirmed = sides;
  ours_confirmed.prefer_ours = true;
  EXPECT_EQ(unite(ours_confirmed, key).disputed, "");
  EXPECT_EQ(unite(ours_confirmed, key).items.dump(), R"([{"use":"home","v":2}])");
}

// ---- properties over random edits of types that use every rule

Json random_edit(Json resource, std::mt19937& random) {
  const auto roll = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  const char* statuses[] = {"active",  "completed",        "on-hold",
                            "stopped", "entered-in-error", "draft"};
  for (unsigned edits = 1 + roll(3); edits > 0; --edits) {
    switch (roll(6)) {
      case 0:
        resource.set("status", statuses[roll(6)]);
        break;
      case 1:
        resource.set("birthDate", core::cat(1950 + roll(50)));
        break;
      case 2:
        resource.set("telecom",
                     json(core::cat(R"([{"system":"phone","use":"home","value":")", roll(5),
                                    R"("},{"system":"email","value":"e)", roll(3), R"("}])")));
        break;
      case 3:
        resource.set("note", json(core::cat(R"([{"text":"n)", roll(9), R"("}])")));
        break;
      case 4:
        resource.erase(roll(2) ? "note" : "telecom");
        break;
      default:
        resource.set(core::cat("x", roll(3)), static_cast<int>(roll(4)));
    }
  }
  return resource;
}

/// Every value at the top level and every array item, as texts.
std::set<std::string> values_of(const Json& resource) {
  std::set<std::string> values;
  for (const auto& [member, value] : resource.members()) {
    if (!value.is_array()) values.insert(core::cat(member, '=', canonical_text(value)));
    for (const Json& item : value.items())
      values.insert(core::cat(member, '=', canonical_text(item)));
  }
  return values;
}

TEST(ConflictProperties, NothingIsLostAndNothingInvented) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 20'000; ++round) {
    const char* types[] = {"Patient",        "Task", "MedicationRequest",
                           "ServiceRequest", "Goal", "Observation"};
    const Json blank = json(core::cat(R"({"resourceType":")", types[round % 6],
                                      R"(","id":"1","status":"active","birthDate":"1980"})"));
    const Json base = random_edit(blank, random);
    const Json ours = random_edit(base, random);
    const Json theirs = random_edit(base, random);
    const Merge merged = merge({base, ours, theirs});
    SCOPED_TRACE(core::cat("round ", round, "\nbase ", base.dump(), "\nours ", ours.dump(),
                           "\ntheirs ", theirs.dump(), "\nshown ", merged.shown.dump()));

    std::set<std::string> kept = values_of(merged.shown);
    for (const GroupDecision& decision : merged.decisions) {
      for (const Json* side : {&decision.ours, &decision.theirs}) kept.merge(values_of(*side));
    }
    const std::set<std::string> before = values_of(base);
    for (const Json* side : {&ours, &theirs}) {
      for (const std::string& value : values_of(*side)) {
        if (before.contains(value)) continue;
        ASSERT_TRUE(kept.contains(value)) << value;
      }
    }
    std::set<std::string> known = values_of(ours);
    known.merge(values_of(theirs));
    for (const std::string& value : values_of(merged.shown))
      ASSERT_TRUE(known.contains(value)) << value;
  }
}

TEST(ConflictProperties, OneSidedAndEqualChangesNeedNobody) {
  std::mt19937 random(7);
  for (int round = 0; round < 5'000; ++round) {
    const Json base = random_edit(json(R"({"resourceType":"Goal","id":"1"})"), random);
    const Json edited = random_edit(base, random);
    EXPECT_TRUE(same_content(merge({base, base, edited}).shown, edited) ||
                merge({base, base, edited}).asks());
    const Merge both = merge({base, edited, edited});
    EXPECT_TRUE(same_content(both.shown, edited));
    EXPECT_TRUE(both.decisions.empty());
  }
}

}  // namespace
}  // namespace gateway::sync
