#include "sync/same_occasion.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/fhir/resource_rules.h"
#include "sync/merged_patients.h"
#include "sync/outbox.h"
#include "sync/review.h"
#include "sync/search.h"
#include "sync/status_machine.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr int kOthersMax = 1'000;  // of one slot or patient
constexpr std::size_t kDay = 10;   // characters of an R4 date

using Names = std::set<std::string>;

bool meet(const Names& one, const Names& other) {
  return std::ranges::any_of(one, [&](const std::string& name) { return other.contains(name); });
}

Names slots_held(const Json& appointment) {
  constexpr std::string_view kHolding[] = {"pending", "booked", "arrived", "checked-in",
                                           "fulfilled"};
  Names slots;
  if (appointment["resourceType"].text() != "Appointment") return slots;
  if (std::ranges::find(kHolding, appointment["status"].text()) == std::end(kHolding)) return slots;
  for (const Json& slot : appointment["slot"].items()) {
    if (!slot["reference"].text().empty()) slots.emplace(slot["reference"].text());
  }
  return slots;
}

std::string day_given(const Json& immunization) {
  if (immunization["resourceType"].text() != "Immunization") return {};
  if (immunization["status"].text() != "completed") return {};
  const std::string_view at = immunization["occurrenceDateTime"].text();
  return at.size() < kDay ? std::string() : std::string(at.substr(0, kDay));
}

Names vaccines_of(const Json& immunization) {
  Names vaccines;
  const Json& code = immunization["vaccineCode"];
  for (const Json& coding : code["coding"].items()) {
    if (!coding["code"].text().empty())
      vaccines.insert(core::cat(coding["system"].text(), '|', coding["code"].text()));
  }
  if (!code["text"].text().empty()) vaccines.emplace(code["text"].text());
  return vaccines;
}

bool clash(const Json& one, const Json& other) {
  return book_one_slot(one, other) || vaccinate_twice(one, other);
}

/// What `resource` may clash with: of its slots, or of all records of its patient.
core::Result<std::vector<std::string>> candidates(Connection& connection, const Json& resource) {
  std::vector<std::string> targets;
  for (const std::string& slot : slots_held(resource)) targets.push_back(slot);
  const auto patient = parse_reference(patient_of(resource));
  if (!day_given(resource).empty() && patient) {
    GW_TRY(const auto records, records_of_person(connection, patient->id));
    for (const std::string& id : records) targets.push_back(core::cat("Patient/", id));
  }
  std::vector<std::string> found;
  for (const std::string& target : targets) {
    GW_TRY(const auto more,
           find_referrers(connection, target, kOthersMax, resource["resourceType"].text()));
    found.insert(found.end(), more.begin(), more.end());
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// The hospital has it as it is here, and made it.
core::Result<bool> is_hospitals(Connection& connection, const Reconciling& with,
                                const ResourceKey& key, const Json& arrived) {
  GW_TRY(const bool is_ours, was_made_here(connection, key));
  if (is_ours) return false;
  GW_TRY(const auto base, read_base(connection, with.uplink, key));
  if (!base) return false;
  GW_TRY(const auto known, read_version(connection, key, base->version));
  return known && clash(arrived, *known);
}

core::Status ask(Connection& connection, const Reconciling& with, const ResourceKey& key,
                 const Json& body, GroupDecision decision, const ReviewVersions& versions,
                 std::string_view now) {
  Merge merge;
  merge.policy = with.policy.version();
  decision.asked = true;
  merge.decisions.push_back(std::move(decision));
  GW_TRY(const std::int64_t number, put_review(connection, with.uplink, key, versions, merge, now));
  return with.audit.append(connection, {.at = with.clock.wall(),
                                        .actor = core::cat("policy:", merge.policy),
                                        .action = "flag",
                                        .resource = key.text(),
                                        .patient = patient_of(body),
                                        .source = core::cat("review/", number),
                                        .outcome = "a person is asked"});
}

Json status(std::string_view code) { return Json::object({{"status", code}}); }

/// `later` gives up the slot until a person has decided.
core::Status propose(Connection& connection, const Reconciling& with, const ResourceKey& later,
                     const ResourceKey& earlier, std::string_view now) {
  GW_TRY(const auto held, read_newest_version(connection, later));
  if (!held || held->body.is_null()) return {};
  Json body = held->body;
  const std::int64_t was = held->version;
  GroupDecision decision;
  decision.group = "double booking";
  decision.base = decision.ours = status(body["status"].text());
  if (is_later_status("Appointment", body["status"].text(), "booked")) {
    decision.reason = core::cat("it holds the slot of ", earlier.text(),
                                ", booked on the other side, and has begun: it stays as it is. Book"
                                " the other one on another slot, then decide here");
    decision.theirs = decision.merged = decision.ours;
    return ask(connection, with, later, body, std::move(decision), {was, was, was, was}, now);
  }
  decision.reason = core::cat("it holds the slot that ", earlier.text(),
                              " held before, booked on the other side; it became proposed. Book it"
                              " on another slot, or take it back as it was");
  decision.shown = Choice::theirs;
  decision.theirs = decision.merged = status("proposed");
  body.set("status", "proposed");
  GW_TRY(const std::int64_t shown, put_resource(connection, later, body, "clinic", now));
  GW_CHECK(queue_row(connection, with.uplink, "resource", later.text(), 0, std::nullopt, now));
  return ask(connection, with, later, body, std::move(decision), {was, was, was, shown}, now);
}

core::Status ask_about_vaccine(Connection& connection, const Reconciling& with,
                               const ResourceKey& key, const Json& body, const ResourceKey& other,
                               std::string_view now) {
  GW_TRY(const auto held, read_newest(connection, key));
  const std::int64_t version = held ? held->version : 0;
  GroupDecision decision;
  decision.group = "repeated vaccination";
  decision.reason =
      core::cat("the same vaccine was recorded for the same day on the other side (", other.text(),
                "). Both stay as they are: where it was given once,"
                " enter one of them as entered-in-error, then decide here");
  decision.base = decision.ours = decision.theirs = decision.merged = Json::object();
  return ask(connection, with, key, body, std::move(decision), {version, version, version, version},
             now);
}

/// `one` was booked after `other`, as far as both say when.
bool is_later(const Json& one, const Json& other) {
  const auto first = core::parse_instant(one["created"].text());
  const auto second = core::parse_instant(other["created"].text());
  return first && second && *first > *second;
}

}  // namespace

bool book_one_slot(const Json& one, const Json& other) {
  return meet(slots_held(one), slots_held(other));
}

bool vaccinate_twice(const Json& one, const Json& other) {
  const std::string day = day_given(one);
  return !day.empty() && day == day_given(other) && meet(vaccines_of(one), vaccines_of(other));
}

core::Status flag_same_occasion(Connection& connection, const Reconciling& with,
                                const ResourceKey& arrived, const Json& before, const Json& after,
                                std::string_view now) {
  GW_TRY(const auto others, candidates(connection, after));
  for (const std::string& reference : others) {
    const auto other = parse_reference(reference);
    if (!other || reference == arrived.text()) continue;
    GW_TRY(const auto held, read_resource(connection, *other));
    if (!held || !clash(after, held->body) || clash(before, held->body)) continue;
    GW_TRY(const bool is_theirs, is_hospitals(connection, with, *other, after));
    if (is_theirs) continue;
    if (arrived.type == "Immunization") {
      GW_CHECK(ask_about_vaccine(connection, with, arrived, after, *other, now));
    } else if (is_later(after, held->body)) {
      return propose(connection, with, arrived, *other, now);
    } else {
      GW_CHECK(propose(connection, with, *other, arrived, now));
    }
  }
  return {};
}

}  // namespace gateway::sync
