#include "sync/reconcile.h"

#include <algorithm>
#include <vector>

#include "core/civil_time.h"
#include "core/ids.h"
#include "core/text.h"
#include "sync/conflict.h"
#include "sync/contraindication.h"
#include "sync/outbox.h"
#include "sync/review.h"
#include "sync/same_occasion.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

Json coding(std::string_view system, std::string_view code) {
  return Json::object(
      {{"coding", Json::array({Json::object({{"system", system}, {"code", code}})})}});
}

Json source(std::string_view role, const ResourceKey& key, std::int64_t version) {
  return Json::object(
      {{"role", role},
       {"what", Json::object({{"display", core::cat(key.text(), ", version ", version,
                                                    " of the clinic's gateway")}})}});
}

/// FHIR R4 Provenance of a merge no person made.
Json provenance(const std::string& id, const ResourceKey& key, const ReviewVersions& versions,
                std::string_view policy, std::string_view now) {
  Json merged = Json::object({{"resourceType", "Provenance"}, {"id", id}});
  merged.set("target", Json::array({Json::object({{"reference", key.text()}})}));
  merged.set("recorded", now);
  Json activity = coding("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "UPDATE");
  activity.set("text", core::cat("merged under policy ", policy));
  merged.set("activity", std::move(activity));
  merged.set(
      "agent",
      Json::array({Json::object(
          {{"type", coding("http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                           "assembler")},
           {"who", Json::object({{"display", "clinic-gateway"}})}})}));
  Json entities = Json::array();
  if (versions.base > 0) entities.add(source("revision", key, versions.base));
  entities.add(source("source", key, versions.ours));
  entities.add(source("source", key, versions.theirs));
  merged.set("entity", std::move(entities));
  return merged;
}

core::Status record(Connection& connection, const Reconciling& with, const ResourceKey& key,
                    const ReviewVersions& versions, const Merge& merged, const std::string& now) {
  std::string review = "no element changed by both";
  if (!merged.decisions.empty()) {
    GW_TRY(const std::int64_t number,
           put_review(connection, with.uplink, key, versions, merged, now));
    review = core::cat("review/", number);
  }
  return with.audit.append(
      connection, {.at = with.clock.wall(),
                   .actor = core::cat("policy:", merged.policy),
                   .action = "merge",
                   .resource = key.text(),
                   .patient = key.type == "Patient" ? key.text() : "",
                   .source = core::cat(review, ", versions ", versions.base, ' ', versions.ours,
                                       ' ', versions.theirs),
                   .outcome = merged.asks() ? "a person is asked" : "merged"});
}

/// Null `body`: deleted.
core::Result<std::int64_t> put_or_delete(Connection& connection, const ResourceKey& key,
                                         const Json& body, std::string_view origin,
                                         std::string_view now) {
  if (body.is_null()) return delete_resource(connection, key, origin, now);
  return put_resource(connection, key, body, origin, now);
}

/// Rows that wait, of a resource the hospital has already.
core::Status drop_waiting(Connection& connection, const std::string& uplink,
                          const ResourceKey& key) {
  GW_CHECK(connection.run(
      "UPDATE outbox SET needs = NULL WHERE needs IN (SELECT number FROM outbox WHERE uplink = ?"
      " AND kind = 'resource' AND subject = ? AND state <> 'sending')",
      uplink, key.text()));
  return connection.run(
      "DELETE FROM outbox WHERE uplink = ? AND kind = 'resource' AND subject = ?"
      " AND state <> 'sending'",
      uplink, key.text());
}

/// A Task is carried out by its owner, where the clinic registered that one (the hospital's
/// registry names people of both); else by whoever did not ask for it.
core::Result<bool> is_filled_here(Connection& connection, const ResourceKey& key,
                                  const Versions& versions) {
  if (key.type != "Task") return false;
  for (const Json* side : {&versions.theirs, &versions.ours}) {
    const auto owner = parse_reference((*side)["owner"]["reference"].text());
    if (!owner) continue;
    GW_TRY(const bool is_ours, was_made_here(connection, *owner));
    if (is_ours) return true;
  }
  return !versions.ours_is_producer;
}

/// What `ours` says of what the hospital keeps is what the hospital of another uplink said last,
/// and nobody is being asked about it.
core::Result<bool> is_said_elsewhere(Connection& connection, const std::string& uplink,
                                     const ResourceKey& key, const Json& ours) {
  GW_TRY(const auto asked,
         connection.integer("SELECT 1 FROM review WHERE type = ? AND id = ? AND state = 'open'",
                            key.type, key.id));
  if (asked) return false;
  // Version 0 is nobody's.
  GW_TRY(const auto others, agreed_elsewhere(connection, uplink, key, 0));
  for (const std::string& other : others) {
    GW_TRY(const auto base, read_base(connection, other, key));
    GW_TRY(const auto said, read_version(connection, key, base ? base->version : 0));
    if (said && !said->is_null() && !changes_what_hospital_keeps(*said, ours)) return true;
  }
  return false;
}

core::Result<bool> is_no_proposal(Connection& connection, const std::string& uplink,
                                  const ResourceKey& key, std::int64_t base, const Json& ours) {
  GW_TRY(const bool is_decided, is_decided_for(connection, key, base, ours));
  if (is_decided) return true;
  return is_said_elsewhere(connection, uplink, key, ours);
}

bool asks_whose_word_counts(const Merge& merged) {
  return std::ranges::any_of(merged.decisions, [](const GroupDecision& decision) {
    return decision.asked && decision.rule == Rule::his;
  });
}

core::Status queue(Connection& connection, const std::string& uplink, const ResourceKey& key,
                   std::optional<std::int64_t> after, std::string_view now) {
  GW_CHECK(queue_row(connection, uplink, "resource", key.text(), 0, after, now));
  return {};
}

/// Queues what the merge made for the uplink where that is new to it, and for others that agreed on
/// something else; and for all of these, and where it was decided for the hospital's, its
/// Provenance.
core::Status tell(Connection& connection, const Reconciling& with, const ResourceKey& key,
                  const ReviewVersions& kept, const Merge& merged, const std::string& now) {
  std::vector<std::string> uplinks;
  // Two hospitals that differ on who somebody is must not have it from here, each the other's.
  if (!asks_whose_word_counts(merged)) {
    GW_TRY(uplinks, agreed_elsewhere(connection, with.uplink, key, kept.shown));
  }
  if (kept.shown == kept.theirs) {
    GW_CHECK(drop_waiting(connection, with.uplink, key));
  } else {
    uplinks.insert(uplinks.begin(), with.uplink);
  }
  if (uplinks.empty() && merged.decisions.empty()) return {};
  const std::string id = core::new_uuid(with.clock);
  const ResourceKey told{"Provenance", id};
  if (!merged.shown.is_null())
    GW_CHECK(put_resource(connection, told, provenance(id, key, kept, merged.policy, now), "clinic",
                          now));
  for (const std::string& uplink : uplinks) {
    GW_TRY(const std::int64_t row,
           queue_row(connection, uplink, "resource", key.text(), 0, std::nullopt, now));
    if (!merged.shown.is_null()) GW_CHECK(queue(connection, uplink, told, row, now));
  }
  const bool was_told = kept.shown != kept.theirs || merged.decisions.empty();
  return was_told ? core::Status() : queue(connection, with.uplink, told, std::nullopt, now);
}

}  // namespace

core::Status reconcile(Connection& connection, const Reconciling& with, const ResourceKey& key,
                       const Json& theirs, std::string_view theirs_version) {
  const std::string now = core::to_instant(with.clock.wall());
  GW_TRY(const auto held, read_newest_version(connection, key));
  if (!held) return core::Error(core::Code::internal, core::cat(key.text(), " is not held"));
  GW_TRY(const auto agreed, read_base(connection, with.uplink, key));

  Versions versions;
  versions.ours = held->body;
  versions.theirs = theirs;
  if (agreed) {
    GW_TRY(auto base, read_version(connection, key, agreed->version));
    if (base) versions.base = std::move(*base);
  }
  GW_TRY(versions.ours_is_producer, was_made_here(connection, key));
  GW_TRY(versions.ours_is_decided,
         is_no_proposal(connection, with.uplink, key, agreed ? agreed->version : 0, versions.ours));
  GW_TRY(versions.ours_is_filler, is_filled_here(connection, key, versions));
  const Merge merged = merge(versions, with.policy);

  ReviewVersions kept;
  kept.base = agreed ? agreed->version : 0;
  kept.ours = held->version;
  GW_TRY(kept.theirs, put_or_delete(connection, key, theirs, with.uplink, now));
  GW_TRY(kept.shown, put_or_delete(connection, key, merged.shown, "clinic", now));
  GW_CHECK(put_base(connection, with.uplink, key, {std::string(theirs_version), kept.theirs}));
  GW_CHECK(record(connection, with, key, kept, merged, now));
  GW_CHECK(flag_contraindications(connection, with, key, versions.ours, merged.shown, now));
  GW_CHECK(flag_same_occasion(connection, with, key, versions.ours, merged.shown, now));

  return tell(connection, with, key, kept, merged, now);
}

core::Result<std::optional<Json>> proposed_against(Connection& connection,
                                                   const std::string& uplink,
                                                   const ResourceKey& key, std::int64_t base,
                                                   const Json& ours) {
  if (ours.is_null() || !hospital_keeps_some_of(key.type)) return std::optional<Json>();
  GW_TRY(auto agreed, read_version(connection, key, base));
  if (!agreed || agreed->is_null() || !changes_what_hospital_keeps(*agreed, ours))
    return std::optional<Json>();
  GW_TRY(const bool may_go, is_no_proposal(connection, uplink, key, base, ours));
  if (may_go) agreed.reset();
  return agreed;
}

}  // namespace gateway::sync
