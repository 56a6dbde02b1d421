#include "sync/review.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/outbox.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using core::Json;
using crypto::Connection;

Json to_json(const GroupDecision& decision) {
  return Json::object({{"group", decision.group},
                       {"rule", to_string(decision.rule)},
                       {"shown", to_string(decision.shown)},
                       {"asked", decision.asked},
                       {"reason", decision.reason},
                       {"base", decision.base},
                       {"ours", decision.ours},
                       {"theirs", decision.theirs},
                       {"merged", decision.merged}});
}

/// What with_choice() needs of it.
GroupDecision from_json(const Json& json) {
  GroupDecision decision;
  decision.group = json["group"].text();
  decision.asked = json["asked"].boolean();
  decision.base = json["base"];
  decision.ours = json["ours"];
  decision.theirs = json["theirs"];
  decision.merged = json["merged"];
  return decision;
}

struct StoredReview {
  std::string uplink;
  ResourceKey key;
  std::string state;
  std::string at;
  std::string policy;
  ReviewVersions versions;
  Json decisions;
  std::string decided_by;
};

core::Result<StoredReview> read_review(Connection& connection, std::int64_t number) {
  GW_TRY(auto rows, connection.query("SELECT uplink, type, id, state, at, policy, base_version,"
                                     " ours_version, theirs_version, shown_version, decisions,"
                                     " decided_by FROM review WHERE number = ?",
                                     number));
  GW_TRY(const bool found, rows.next());
  if (!found) return Error(Code::not_found, core::cat("there is no review ", number));
  StoredReview review;
  review.uplink = rows.text(0);
  review.key = {std::string(rows.text(1)), std::string(rows.text(2))};
  review.state = rows.text(3);
  review.at = rows.text(4);
  review.policy = rows.text(5);
  review.versions = {rows.integer(6), rows.integer(7), rows.integer(8), rows.integer(9)};
  GW_TRY(review.decisions, Json::parse(rows.text(10)));
  review.decided_by = rows.text(11);
  return review;
}

Json groups_in(const Json& decisions) {
  Json names = Json::array();
  for (const Json& decision : decisions.items()) names.add(decision["group"]);
  return names;
}

}  // namespace

core::Result<std::int64_t> put_review(Connection& connection, std::string_view uplink,
                                      const ResourceKey& key, const ReviewVersions& versions,
                                      const Merge& merge, std::string_view now_instant) {
  Json decisions = Json::array();
  for (const GroupDecision& decision : merge.decisions) decisions.add(to_json(decision));
  GW_CHECK(connection.run(
      "INSERT INTO review (uplink, type, id, state, at, policy, base_version, ours_version,"
      " theirs_version, shown_version, decisions) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      uplink, key.type, key.id, merge.asks() ? "open" : "merged", now_instant, kPolicyVersion,
      versions.base, versions.ours, versions.theirs, versions.shown, decisions.dump()));
  return connection.last_row();
}

core::Status decide_review(Connection& connection, const crypto::Audit& audit, std::int64_t number,
                           const std::map<std::string, Choice>& choices, Choice otherwise,
                           const Reviewer& reviewer) {
  GW_TRY(const StoredReview review, read_review(connection, number));
  GW_TRY(const auto held, read_newest_version(connection, review.key));
  if (!held) return Error(Code::not_found, core::cat(review.key.text(), " is no longer held"));
  Json decided = held->body;
  // A group can't be put into what was deleted since; a decision over the deletion itself can, and
  // what takes nothing can be closed.
  const std::string_view group = review.decisions[0]["group"].text();
  if (decided.is_null() && group != "existence" && group != kContraindication)
    return Error(Code::not_found, core::cat(review.key.text(), " was deleted since"));
  std::size_t named = 0;
  for (const Json& stored : review.decisions.items()) {
    const GroupDecision decision = from_json(stored);
    const auto choice = choices.find(decision.group);
    if (choice != choices.end()) {
      decided = with_choice(decided, decision, choice->second);
      ++named;
    } else if (choices.empty() && decision.asked) {
      decided = with_choice(decided, decision, otherwise);
    }
  }
  if (named != choices.size()) {
    return Error(Code::invalid, core::cat("review ", number, " has no such group; it has ",
                                          groups_in(review.decisions).dump()));
  }
  const std::string now = core::to_instant(reviewer.at);
  std::int64_t version = 0;
  if (decided.is_object()) {
    GW_TRY(version, put_resource(connection, review.key, decided, "clinic", now));
  } else {
    GW_TRY(version, delete_resource(connection, review.key, "clinic", now));
  }
  if (version != held->version) {
    GW_CHECK(
        queue_row(connection, review.uplink, "resource", review.key.text(), 0, std::nullopt, now));
  }
  GW_CHECK(
      connection.run("UPDATE review SET state = 'decided', decided_by = ?, decided_at = ?,"
                     " decided_version = ? WHERE number = ?",
                     reviewer.actor, now, version, number));
  return audit.append(connection, {.at = reviewer.at,
                                   .actor = reviewer.actor,
                                   .action = "decide",
                                   .resource = review.key.text(),
                                   .patient = review.key.type == "Patient" ? review.key.text() : "",
                                   .source = core::cat("review/", number),
                                   .outcome = core::cat("version ", version)});
}

core::Result<bool> is_decided_for(Connection& connection, const ResourceKey& key,
                                  std::int64_t since, const Json& ours) {
  GW_TRY(const auto newest,
         connection.integer("SELECT max(decided_version) FROM review WHERE type = ? AND id = ?",
                            key.type, key.id));
  if (newest.value_or(0) <= since) return false;
  GW_TRY(const auto decided, read_version(connection, key, *newest));
  return decided && !changes_what_hospital_keeps(*decided, ours);
}

core::Result<Json> reviews_report(Connection& connection, std::int64_t limit) {
  GW_TRY(auto rows,
         connection.query("SELECT number, type, id, uplink, state, at, decisions, decided_by"
                          " FROM review ORDER BY state <> 'open', number LIMIT ?",
                          limit));
  Json reviews = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return reviews;
    GW_TRY(const Json decisions, Json::parse(rows.text(6)));
    reviews.add(Json::object({{"number", rows.integer(0)},
                              {"resource", core::cat(rows.text(1), '/', rows.text(2))},
                              {"uplink", rows.text(3)},
                              {"state", rows.text(4)},
                              {"at", rows.text(5)},
                              {"groups", groups_in(decisions)},
                              {"decided_by", rows.text(7)}}));
  }
}

core::Result<Json> review_report(Connection& connection, std::int64_t number) {
  GW_TRY(const StoredReview review, read_review(connection, number));
  Json report = Json::object({{"number", number},
                              {"resource", review.key.text()},
                              {"uplink", review.uplink},
                              {"state", review.state},
                              {"at", review.at},
                              {"policy", review.policy},
                              {"decided_by", review.decided_by},
                              {"decisions", review.decisions}});
  const std::pair<const char*, std::int64_t> versions[] = {{"base", review.versions.base},
                                                           {"ours", review.versions.ours},
                                                           {"theirs", review.versions.theirs},
                                                           {"shown", review.versions.shown}};
  for (const auto& [name, version] : versions) {
    GW_TRY(auto body, read_version(connection, review.key, version));
    report.set(name, body ? std::move(*body) : Json());
  }
  return report;
}

core::Result<Json> reviews_health(Connection& connection, core::Wall now) {
  GW_TRY(const auto open, connection.integer("SELECT count(*) FROM review WHERE state = 'open'"));
  GW_TRY(const auto oldest,
         connection.text("SELECT at FROM review WHERE state = 'open' ORDER BY number LIMIT 1"));
  Json age;
  if (oldest) {
    if (const auto at = core::parse_instant(*oldest)) {
      // A clock set back must not show as a negative age.
      const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - *at).count();
      age = Json(std::max<std::int64_t>(0, passed));
    }
  }
  return Json::object({{"open", open.value_or(0)}, {"oldest_age_s", age}});
}

}  // namespace gateway::sync
