#include "sync/review.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/element_groups.h"
#include "sync/fhir/resource_rules.h"
#include "sync/fhir/same_content.h"
#include "sync/outbox.h"
#include "sync/pull_state.h"

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
  std::int64_t decided_version = 0;  // 0: nobody has decided yet
};

core::Result<StoredReview> read_review(Connection& connection, std::int64_t number) {
  GW_TRY(auto rows, connection.query("SELECT uplink, type, id, state, at, policy, base_version,"
                                     " ours_version, theirs_version, shown_version, decisions,"
                                     " decided_by, decided_version FROM review WHERE number = ?",
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
  review.decided_version = rows.integer(12);
  return review;
}

/// A question across resources: whatever is chosen, there is nothing to put into this one.
bool only_closes(const GroupDecision& decision) {
  return decision.base.size() + decision.ours.size() + decision.theirs.size() +
             decision.merged.size() ==
         0;
}

Json groups_in(const Json& decisions) {
  Json names = Json::array();
  for (const Json& decision : decisions.items()) names.add(decision["group"]);
  return names;
}

/// The whole resource is what it is about.
bool is_whole(const GroupDecision& decision) { return decision.group == "existence"; }

/// The group as `resource` (null: deleted) has it.
Json part_of(const Json& resource, const GroupDecision& decision) {
  if (is_whole(decision)) return resource;
  Json part = Json::object();
  const Json elements = as_elements(resource);
  for (const auto& [member, value] : elements.members()) {
    const std::string_view name = member;
    const bool belongs = std::ranges::any_of(
        std::array{&decision.base, &decision.ours, &decision.theirs, &decision.merged},
        [name](const Json* side) { return !(*side)[name].is_null(); });
    if (belongs) part.append_member(member, value);
  }
  return part;
}

/// What the review, or who decided it last, left there; null where that is none of the values the
/// review shows.
core::Result<Json> left_of(Connection& connection, const StoredReview& review,
                           const GroupDecision& decision) {
  if (review.decided_version == 0) return decision.merged;
  GW_TRY(const auto decided, read_version(connection, review.key, review.decided_version));
  const Json left = decided ? part_of(*decided, decision) : Json();
  const bool is_shown =
      std::ranges::any_of(std::array{&decision.ours, &decision.theirs, &decision.merged},
                          [&left](const Json* side) { return same_value(*side, left); });
  return is_shown ? left : Json();
}

/// Somebody has changed it since, and a decision by the review alone would undo that unseen.
core::Result<bool> is_stale(Connection& connection, const StoredReview& review,
                            const GroupDecision& decision, const Json& held) {
  GW_TRY(const Json left, left_of(connection, review, decision));
  const Json now = part_of(held, decision);
  if (is_whole(decision) && left.is_object() && now.is_object()) return !same_content(left, now);
  return !same_value(left, now);
}

bool belongs_to(std::string_view type, const GroupDecision& decision, std::string_view member) {
  const std::string_view element = member.starts_with('_') ? member.substr(1) : member;
  const ElementGroup* row = usual_policy().group_of(type, element);
  return (row ? row->name : element) == decision.group;
}

core::Result<Json> edited(const Json& resource, const GroupDecision& decision, const Json& edit) {
  const std::string_view type = resource["resourceType"].text();
  GroupDecision made = decision;
  made.merged = part_of(resource, decision);
  for (const auto& [member, value] : edit.members()) {
    if (is_whole(decision) || !belongs_to(type, decision, member)) {
      return Error(Code::invalid, core::cat("the group ", decision.group, " has no element ",
                                            member, " that could be edited here"));
    }
    if (value.is_null()) {
      made.merged.erase(member);
    } else {
      made.merged.set(member, value);
    }
    made.base.set(member, true);  // one of the group's members from now on
  }
  Json changed = with_choice(resource, made, Choice::merged);
  GW_CHECK(check_resource(type, changed));
  if (const auto legal = check_transition(type, resource, changed); !legal.ok())
    return Error(Code::invalid, legal.error().message());
  return changed;
}

core::Result<Json> answered(const Json& resource, const GroupDecision& decision,
                            const GroupAnswer& answer) {
  if (answer.edit.is_object()) return edited(resource, decision, answer.edit);
  switch (answer.take) {
    case GroupAnswer::Take::ours:
      return with_choice(resource, decision, Choice::ours);
    case GroupAnswer::Take::theirs:
      return with_choice(resource, decision, Choice::theirs);
    case GroupAnswer::Take::merged:
      return with_choice(resource, decision, Choice::merged);
    case GroupAnswer::Take::held:
      break;
  }
  return resource;
}

bool takes_held(const GroupAnswer& answer) {
  return !answer.edit.is_object() && answer.take == GroupAnswer::Take::held;
}

using GroupAnswers = std::vector<std::pair<GroupDecision, GroupAnswer>>;

/// The answer, group by group. Code::invalid: it names one the review has not.
core::Result<GroupAnswers> answers_to(const StoredReview& review, std::int64_t number,
                                      const ReviewAnswer& answer) {
  GroupAnswers answers;
  const bool asks = std::ranges::any_of(
      review.decisions.items(), [](const Json& decision) { return decision["asked"].boolean(); });
  for (const Json& stored : review.decisions.items()) {
    GroupDecision decision = from_json(stored);
    const auto named = answer.groups.find(decision.group);
    if (named != answer.groups.end()) {
      answers.emplace_back(std::move(decision), named->second);
    } else if (answer.groups.empty() && (decision.asked || !asks)) {
      answers.emplace_back(std::move(decision), answer.otherwise);
    }
  }
  if (!answer.groups.empty() && answers.size() != answer.groups.size()) {
    return Error(Code::invalid, core::cat("review ", number, " has no such group; it has ",
                                          groups_in(review.decisions).dump()));
  }
  return answers;
}

/// The resource as the person wants it; null: deleted.
core::Result<Json> decided_body(Connection& connection, const StoredReview& review,
                                const StoredResource& held, const GroupAnswers& answers,
                                std::int64_t seen) {
  Json decided = held.body;
  for (const auto& [decision, answer] : answers) {
    if (takes_held(answer) || (only_closes(decision) && !answer.edit.is_object())) continue;
    // A group can't be put into what was deleted since.
    if (held.body.is_null() && !is_whole(decision)) {
      return Error(Code::not_found,
                   core::cat(review.key.text(), " was deleted since; take held closes the review"));
    }
    GW_TRY(const bool stale, is_stale(connection, review, decision, held.body));
    if (stale && seen != held.version) {
      return Error(Code::exists,
                   core::cat(decision.group, " of ", review.key.text(),
                             " was changed since and nothing was done; look at what is held now"
                             " (clinic-gateway reviews show), then take held, or decide again as"
                             " one who has seen version ",
                             held.version));
    }
    GW_TRY(decided, answered(decided, decision, answer));
  }
  return decided;
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
      uplink, key.type, key.id, merge.asks() ? "open" : "merged", now_instant, merge.policy,
      versions.base, versions.ours, versions.theirs, versions.shown, decisions.dump()));
  return connection.last_row();
}

core::Status decide_review(Connection& connection, const Deciding& with, std::int64_t number,
                           const ReviewAnswer& answer) {
  GW_TRY(const StoredReview review, read_review(connection, number));
  GW_TRY(const auto held, read_newest_version(connection, review.key));
  if (!held) return Error(Code::not_found, core::cat(review.key.text(), " is no longer held"));
  GW_TRY(const GroupAnswers answers, answers_to(review, number, answer));
  GW_TRY(const Json decided, decided_body(connection, review, *held, answers, answer.seen));
  const std::string now = core::to_instant(with.at);
  std::int64_t version = 0;
  if (decided.is_object()) {
    GW_TRY(version, put_resource(connection, review.key, decided, "clinic", now));
  } else {
    GW_TRY(version, delete_resource(connection, review.key, "clinic", now));
  }
  GW_TRY(auto uplinks, agreed_elsewhere(connection, review.uplink, review.key, version));
  if (version != held->version) {
    uplinks.push_back(review.uplink);
    GW_CHECK(refresh_after(connection, review.key, with.worklist));
  }
  for (const std::string& uplink : uplinks)
    GW_CHECK(queue_row(connection, uplink, "resource", review.key.text(), 0, std::nullopt, now));
  GW_CHECK(
      connection.run("UPDATE review SET state = 'decided', decided_by = ?, decided_at = ?,"
                     " decided_version = ? WHERE number = ?",
                     with.actor, now, version, number));
  return with.audit.append(connection,
                           {.at = with.at,
                            .actor = with.actor,
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
  GW_TRY(const auto held, read_newest_version(connection, review.key));
  const Json now = held ? held->body : Json();
  Json decisions = Json::array();
  for (const Json& stored : review.decisions.items()) {
    const GroupDecision decision = from_json(stored);
    GW_TRY(const bool stale, is_stale(connection, review, decision, now));
    Json shown = stored;
    shown.set("now", part_of(now, decision));
    shown.set("is_stale", stale);
    decisions.add(std::move(shown));
  }
  Json report = Json::object({{"number", number},
                              {"resource", review.key.text()},
                              {"uplink", review.uplink},
                              {"state", review.state},
                              {"at", review.at},
                              {"policy", review.policy},
                              {"decided_by", review.decided_by},
                              {"held_version", held ? held->version : 0},
                              {"decisions", std::move(decisions)}});
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
