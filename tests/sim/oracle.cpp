#include "tests/sim/oracle.h"

#include <algorithm>
#include <set>

#include "core/text.h"
#include "sync/fhir/same_content.h"
#include "sync/reference_order.h"
#include "sync/server_ids.h"

namespace gateway::sim {
namespace {

using core::Json;

void find(std::int64_t& count, Verdict& verdict, std::string problem) {
  ++count;
  verdict.problems.push_back(std::move(problem));
}

/// Every value somebody entered and nobody knowingly replaced is in the resource, or in a review.
void judge_losses(const Aftermath& after, Verdict& verdict) {
  for (const std::string& key : after.ledger.keys()) {
    const HisVersion* version = after.his.newest(after.his.named(key));
    const auto shown = marks_in(version ? std::string_view(version->text) : std::string_view());
    const std::set<std::int64_t> kept(shown.begin(), shown.end());
    std::set<std::int64_t> reviewed;
    bool has_looked = false;
    for (const std::int64_t mark : after.ledger.owed(key)) {
      if (kept.contains(mark)) continue;
      if (!has_looked) {
        for (const auto& clinic : after.clinics) {
          for (const std::string& name : {key, clinic->our_key(key), after.his.named(key)}) {
            const auto marks = marks_in(clinic->review_text(name));
            reviewed.insert(marks.begin(), marks.end());
          }
        }
        has_looked = true;
      }
      if (!reviewed.contains(mark))
        find(verdict.lost, verdict, core::cat("lost: #", mark, "# of ", key));
    }
    if (kept.size() != shown.size())
      find(verdict.doubled, verdict, core::cat("doubled: a value within ", key));
  }
}

/// What the clinic shows, by the hospital's ids.
Json by_their_ids(const Clinic& clinic, const Json& resource) {
  if (resource.is_null()) return resource;
  sync::ServerNames names;
  for (const sync::ResourceKey& target : sync::references_of(resource))
    names.emplace_back(target.text(), clinic.their_key(target.text()));
  Json out = sync::with_names(resource, names);
  const std::string key = core::cat(resource["resourceType"].text(), '/', resource["id"].text());
  out.set("id", sync::parse_reference(clinic.their_key(key))->id);
  return out;
}

/// What the hospital holds of a resource as whoever made it knows it: without the gateway's mark.
Json unmarked(Json there) {
  Json identifiers = Json::array();
  for (const Json& identifier : there["identifier"].items())
    if (identifier["system"].text() != sync::kMarkSystem) identifiers.add(identifier);
  if (identifiers.size() == there["identifier"].size()) return there;
  there.erase("identifier");
  if (identifiers.size() > 0) there.set("identifier", std::move(identifiers));
  return there;
}

void judge_replicas(const Aftermath& after, Verdict& verdict) {
  for (const auto& clinic : after.clinics) {
    for (const std::string& type : edited_types()) {
      for (const std::string& key : clinic->keys(type)) {
        if (after.his.newest(clinic->their_key(key)) == nullptr)
          find(verdict.diverged, verdict, core::cat("only at ", clinic->name(), ": ", key));
      }
    }
    for (const auto& [key, versions] : after.his.all()) {
      if (key.starts_with("Provenance/") || key.starts_with("Basic/")) continue;
      const std::string ours = clinic->our_key(key);
      if (ours != key && !clinic->shown(key).is_null())
        find(verdict.doubled, verdict, core::cat(clinic->name(), " shows ", ours, " and ", key));
      const Json held = by_their_ids(*clinic, clinic->shown(ours));
      const Json there = ours == key ? versions.back().body : unmarked(versions.back().body);
      if (held.is_null() != there.is_null() ||
          (!held.is_null() && !sync::same_content(held, there)))
        find(verdict.diverged, verdict,
             core::cat("diverged: ", clinic->name(), " shows another ", key, ": ", held.dump(),
                       " not ", there.dump()));
    }
  }
}

/// One losing value of each clinic's newest review comes back in one action.
void judge_restoring(const Aftermath& after, Verdict& verdict) {
  for (const auto& clinic : after.clinics) {
    // A flag across resources holds no value that lost.
    const std::int64_t number = clinic->count(
        "SELECT max(number) FROM review WHERE decisions NOT LIKE "
        "'%\"group\":\"contraindication\"%'");
    if (number <= 0) continue;
    auto decisions = Json::parse(
        clinic->text(core::cat("SELECT decisions FROM review WHERE number = ", number)));
    if (!decisions.ok()) continue;
    for (const Json& decision : decisions->items()) {
      if (!decision["asked"].boolean() || decision["group"].text() == "existence") continue;
      const std::string key =
          clinic->text(core::cat("SELECT type || '/' || id FROM review WHERE number = ", number));
      if (clinic->shown(key).is_null()) break;  // somebody deleted it since
      const auto wanted = marks_in(decision["ours"].dump());
      clinic->decide_review(number, sync::GroupAnswer::Take::ours);
      const auto marks = marks_in(clinic->shown(key).dump());
      const bool is_back = std::ranges::all_of(
          wanted, [&](std::int64_t mark) { return std::ranges::find(marks, mark) != marks.end(); });
      if (!is_back)
        find(verdict.lost, verdict, core::cat("not restored: review ", number, " of ", key));
      break;
    }
  }
}

/// The hospital was told of each merge that decided anything.
void judge_provenance(const Aftermath& after, Verdict& verdict) {
  for (const auto& clinic : after.clinics) {
    const std::string untold = clinic->text(
        "SELECT group_concat(resource) FROM (SELECT resource, count(*) AS merges FROM audit"
        " WHERE action = 'merge' AND source LIKE 'review/%' GROUP BY resource)"
        " WHERE merges > (SELECT count(*) FROM resource_version WHERE type = 'Provenance'"
        " AND version = 1 AND instr(body, '\"target\":[{\"reference\":\"' || resource || '\"}]'))");
    if (!untold.empty())
      find(verdict.lost, verdict,
           core::cat("lost: a Provenance of a merge at ", clinic->name(), " of ", untold));
    for (const std::string& key : clinic->keys("Provenance")) {
      if (after.his.newest(clinic->their_key(key)) == nullptr)
        find(verdict.lost, verdict, core::cat("lost: only ", clinic->name(), " has ", key));
    }
  }
}

void count_conflicts(const Aftermath& after, Verdict& verdict) {
  for (const auto& clinic : after.clinics) {
    verdict.merged +=
        clinic->count("SELECT count(*) FROM audit WHERE action = 'merge' AND outcome = 'merged'");
    verdict.asked +=
        clinic->count("SELECT count(*) FROM audit WHERE action = 'merge' AND outcome <> 'merged'");
  }
}

}  // namespace

void judge_result(bool rests, const Aftermath& after, Verdict& verdict) {
  if (!rests) {
    find(verdict.diverged, verdict, "it never comes to rest");
    for (const auto& clinic : after.clinics)
      verdict.problems.push_back(core::cat(
          clinic->name(), " still has ",
          clinic->text(
              "SELECT group_concat(subject || ' ' || state || ' ' || coalesce(needs, '') ||"
              " ' ' || reason, '; ') FROM outbox")));
  }
  count_conflicts(after, verdict);
  judge_losses(after, verdict);
  judge_provenance(after, verdict);
  judge_replicas(after, verdict);
  for (const std::string& what : after.his.dangling()) find(verdict.diverged, verdict, what);
  for (const std::string& what : after.his.doubled()) find(verdict.doubled, verdict, what);
  judge_restoring(after, verdict);
}

}  // namespace gateway::sim
