// What must hold of every merge, over random edits of types that use every rule: nothing is lost,
// nothing invented, removed stays removed, and it matters only where the table says so which side
// is which.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "core/text.h"
#include "sync/conflict.h"
#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::Json;

constexpr const char* kTypes[] = {
    "Patient",   "Task",        "MedicationRequest", "ServiceRequest",
    "Goal",      "Observation", "DiagnosticReport",  "AllergyIntolerance",
    "Condition", "Appointment", "Procedure",         "Immunization",
    "Encounter"};

class Editor {
 public:
  explicit Editor(unsigned seed) : random_(seed) {}

  Json blank() {
    return Json::object({{"resourceType", kTypes[roll(std::size(kTypes))]},
                         {"id", "1"},
                         {"meta", Json::object({{"versionId", core::cat(roll(9))}})},
                         {"status", "active"},
                         {"birthDate", "1980"}});
  }
  Json edited(Json resource) {
    for (std::size_t edits = 1 + roll(4); edits > 0; --edits) edit(resource);
    return resource;
  }
  std::size_t roll(std::size_t n) { return random_() % n; }

 private:
  void edit(Json& resource) {
    switch (roll(9)) {
      case 0:
        resource.set("status", one_of({"active", "completed", "on-hold", "stopped", "draft",
                                       "entered-in-error", "final", "preliminary", "revoked",
                                       "booked", "cancelled", "requested", "in-progress"}));
        break;
      case 1:
        resource.set("verificationStatus",
                     coded({"confirmed", "unconfirmed", "refuted", "entered-in-error"}));
        break;
      case 2:
        resource.set("clinicalStatus", coded({"active", "remission", "resolved", "relapse"}));
        break;
      case 3:
        resource.set("telecom", array(3, [&] {
                       return Json::object({{"system", one_of({"phone", "email"})},
                                            {"use", one_of({"home", "work"})},
                                            {"value", core::cat("v", roll(4))}});
                     }));
        break;
      case 4:
        resource.set("note", array(3, [&] {
                       return Json::object({{"text", core::cat("n", roll(4))}});
                     }));
        break;
      case 5: {
        Json meta = resource["meta"];
        int nth = 0;  // a label said twice is one
        meta.set(one_of({"security", "tag"}), array(2, [&] {
                   return Json::object({{"system", "s"}, {"code", core::cat("c", ++nth, roll(3))}});
                 }));
        resource.set("meta", std::move(meta));
        break;
      }
      case 6:
        resource.set("text", Json::object({{"status", one_of({"additional", "generated"})},
                                           {"div", core::cat("d", roll(3))}}));
        break;
      case 7:
        resource.erase(one_of({"note", "telecom", "text", "clinicalStatus", "birthDate"}));
        break;
      default:
        resource.set(one_of({"birthDate", "start", "abatementDateTime", "x", "dosageInstruction",
                             "subject", "contained"}),
                     core::cat(1950 + roll(5)));
    }
  }
  std::string_view one_of(std::initializer_list<std::string_view> values) {
    return values.begin()[roll(values.size())];
  }
  Json coded(std::initializer_list<std::string_view> codes) {
    return Json::object({{"coding", Json::array({Json::object({{"code", one_of(codes)}})})}});
  }
  template <class Make>
  Json array(std::size_t items_max, Make make) {
    Json items = Json::array();
    for (std::size_t left = 1 + roll(items_max); left > 0; --left) items.add(make());
    return items;
  }

  std::mt19937 random_;
};

using Counts = std::map<std::string, int>;

/// Every value and every item of an array, meta's and a person's narrative too.
Counts values_of(const Json& resource) {
  Counts values;
  const auto count = [&](const std::string& name, const Json& value) {
    if (!value.is_array()) ++values[core::cat(name, '=', canonical_text(value))];
    for (const Json& item : value.items()) ++values[core::cat(name, '=', canonical_text(item))];
  };
  for (const auto& [member, value] : resource.members()) {
    if (member == "text" && !has_own_narrative(resource)) continue;
    if (member != "meta") count(member, value);
  }
  for (const auto& [member, value] : resource["meta"].members()) {
    if (!is_servers_own(member)) count(core::cat("meta.", member), value);
  }
  return values;
}

int count_in(const Counts& values, const std::string& value) {
  const auto at = values.find(value);
  return at == values.end() ? 0 : at->second;
}

struct Edited {
  Json base;
  Json ours;
  Json theirs;
  std::string text() const {
    return core::cat("\nbase ", base.dump(), "\nours ", ours.dump(), "\ntheirs ", theirs.dump());
  }
};

Edited random_edits(Editor& editor) {
  Edited made;
  made.base = editor.edited(editor.blank());
  made.ours = editor.roll(20) == 0 ? Json() : editor.edited(made.base);
  made.theirs = editor.roll(20) == 0 ? Json() : editor.edited(made.base);
  if (editor.roll(10) == 0) made.base = Json();
  return made;
}

TEST(ConflictProperties, NothingIsLostAndNothingInvented) {
  Editor editor(20261122);
  for (int round = 0; round < 15'000; ++round) {
    const Edited made = random_edits(editor);
    const Merge merged = merge({made.base, made.ours, made.theirs}, usual_policy());
    SCOPED_TRACE(core::cat("round ", round, made.text(), "\nshown ", merged.shown.dump()));
    const Counts shown = values_of(merged.shown);
    const Counts base = values_of(made.base);
    const Counts ours = values_of(made.ours);
    const Counts theirs = values_of(made.theirs);
    std::set<std::string> decided;
    for (const GroupDecision& decision : merged.decisions) {
      const bool is_whole = decision.group == "existence";
      for (const Json* side : {&decision.base, &decision.ours, &decision.theirs}) {
        const Counts whole = values_of(*side);
        for (const auto& [value, n] : whole) decided.insert(value);
        if (is_whole) continue;
        // A group's elements stand there as the merge names them.
        for (const auto& [member, value] : side->members()) {
          for (const Json& item : value.items())
            decided.insert(core::cat(member, '=', canonical_text(item)));
          if (!value.is_array()) decided.insert(core::cat(member, '=', canonical_text(value)));
        }
      }
    }
    Counts all = ours;
    all.insert(theirs.begin(), theirs.end());
    all.insert(base.begin(), base.end());
    for (const auto& [value, n] : all) {
      const int b = count_in(base, value);
      const int o = count_in(ours, value);
      const int t = count_in(theirs, value);
      const bool both_added = o > b && t > b;
      const bool both_removed = o < b && t < b;
      const int expected = both_added ? std::max(o, t) : both_removed ? std::min(o, t) : o + t - b;
      if (!decided.contains(value) && !made.ours.is_null() && !made.theirs.is_null()) {
        ASSERT_EQ(count_in(shown, value), expected) << value;
      }
      ASSERT_LE(count_in(shown, value), std::max(o, t)) << value;
      if (o > b || t > b) {
        ASSERT_TRUE(count_in(shown, value) > 0 || decided.contains(value)) << value;
      }
    }
    for (const auto& [value, n] : shown)
      ASSERT_TRUE(ours.contains(value) || theirs.contains(value)) << value;
  }
}

TEST(ConflictProperties, OneSidedAndEqualChangesNeedNobody) {
  Editor editor(7);
  for (int round = 0; round < 5'000; ++round) {
    const Json base = editor.edited(editor.blank());
    const Json edited = editor.edited(base);
    SCOPED_TRACE(core::cat(base.dump(), '\n', edited.dump()));
    for (const Merge& merged :
         {merge({base, base, edited}, usual_policy()), merge({base, edited, base}, usual_policy())})
      ASSERT_TRUE(same_content(merged.shown, edited) || merged.asks());
    const Merge both = merge({base, edited, edited}, usual_policy());
    ASSERT_EQ(both.shown, edited);
    ASSERT_TRUE(both.decisions.empty());
    ASSERT_EQ(merge({base, base, base}, usual_policy()).shown, base);
  }
}

/// Of the rules that ask whose affair it is.
bool depends_on_side(Rule rule) {
  return rule == Rule::his || rule == Rule::producer || rule == Rule::filler ||
         rule == Rule::clinic;
}

TEST(ConflictProperties, WhichSideIsWhichMattersOnlyWhereTheTableSaysSo) {
  Editor editor(11);
  for (int round = 0; round < 15'000; ++round) {
    const Edited made = random_edits(editor);
    const Merge one = merge({made.base, made.ours, made.theirs}, usual_policy());
    const Merge two = merge({made.base, made.theirs, made.ours}, usual_policy());
    SCOPED_TRACE(core::cat("round ", round, made.text()));
    std::map<std::string, const GroupDecision*> others;
    for (const GroupDecision& decision : two.decisions) others[decision.group] = &decision;
    for (const GroupDecision& decision : one.decisions) {
      const GroupDecision* other = others[decision.group];
      if (depends_on_side(decision.rule)) continue;
      ASSERT_NE(other, nullptr) << decision.group;
      ASSERT_EQ(decision.asked, other->asked) << decision.group;
      const bool hospitals_is_shown = decision.asked && decision.reason == "both sides changed it";
      const bool is_disputed = decision.asked && decision.rule == Rule::union_by_key;
      if (!hospitals_is_shown && !is_disputed) {
        ASSERT_EQ(values_of(decision.merged), values_of(other->merged)) << decision.group;
      }
    }
  }
}

TEST(ConflictProperties, AResultNobodyIsAskedAboutIsAsOneOfTheSidesHasIt) {
  Editor editor(17);
  const auto unlabelled = [](Json resource) {
    resource.erase("meta");
    return resource;
  };
  int results = 0;
  for (int round = 0; round < 15'000; ++round) {
    const Edited made = random_edits(editor);
    const Merge merged = merge({made.base, made.ours, made.theirs}, usual_policy());
    const std::string_view type = merged.shown["resourceType"].text();
    if ((type != "Observation" && type != "DiagnosticReport") || merged.asks()) continue;
    SCOPED_TRACE(core::cat("round ", round, made.text(), "\nshown ", merged.shown.dump()));
    const Json shown = unlabelled(merged.shown);
    ASSERT_TRUE(same_content(shown, unlabelled(made.ours)) ||
                same_content(shown, unlabelled(made.theirs)));
    ++results;
  }
  EXPECT_GT(results, 100);
}

TEST(ConflictProperties, WhatIsChosenOtherwiseIsThereAndTheWayBackIsToo) {
  Editor editor(13);
  for (int round = 0; round < 5'000; ++round) {
    const Edited made = random_edits(editor);
    const Merge merged = merge({made.base, made.ours, made.theirs}, usual_policy());
    SCOPED_TRACE(core::cat("round ", round, made.text()));
    for (const GroupDecision& decision : merged.decisions) {
      const Json taken = with_choice(merged.shown, decision, Choice::ours);
      const Counts values = values_of(taken);
      for (const auto& [member, value] : decision.ours.members()) {
        if (decision.group == "existence") continue;
        for (const Json& item : value.items())
          ASSERT_GT(count_in(values, core::cat(member, '=', canonical_text(item))), 0);
      }
      if (decision.group != "existence") {
        ASSERT_TRUE(same_content(with_choice(taken, decision, Choice::merged), merged.shown));
      }
    }
  }
}

}  // namespace
}  // namespace gateway::sync
