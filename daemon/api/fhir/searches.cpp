#include <set>

#include "core/text.h"
#include "daemon/api/fhir/interactions.h"
#include "sync/fhir/resource_rules.h"
#include "sync/merged_patients.h"
#include "sync/search.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kIncludedMax = 1'000;

struct Shown {
  std::string key;
  Json resource;
};

core::Result<std::optional<Shown>> load(crypto::Connection& connection,
                                        const sync::ResourceKey& key) {
  GW_TRY(auto rows,
         connection.query("SELECT r.version, r.at, v.body FROM resource r JOIN resource_version v"
                          " ON v.type = r.type AND v.id = r.id AND v.version = r.version"
                          " WHERE r.type = ? AND r.id = ? AND r.deleted = 0",
                          key.type, key.id));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Shown>();
  GW_TRY(Json body, Json::parse(rows.text(2)));
  return std::optional<Shown>(
      Shown{key.text(), shown(std::move(body), rows.integer(0), rows.text(1))});
}

Json entry(const Shown& found, const std::string& base, const char* mode) {
  Json made = Json::object({{"fullUrl", cat(base, "/", found.key)}});
  made.set("resource", found.resource);
  made.set("search", Json::object({{"mode", mode}}));
  return made;
}

/// What the matches refer to by the wanted parameters, each once, and none the client may not read.
core::Result<std::vector<Shown>> load_included(Desk& desk, const sync::SearchQuery& query,
                                               const std::vector<Shown>& matches) {
  std::set<std::string> seen;
  for (const Shown& match : matches) seen.insert(match.key);
  std::vector<Shown> included;
  for (const sync::SearchInclude& include : query.includes) {
    for (const Shown& match : matches) {
      for (const Json* value : sync::values_at(match.resource, include.param->path)) {
        const auto key = sync::parse_reference((*value)["reference"].text());
        if (!key || included.size() >= kIncludedMax) continue;
        if (!include.target_type.empty() && key->type != include.target_type) continue;
        if (!desk.client.may('r', key->type) || !seen.insert(key->text()).second) continue;
        GW_TRY(auto found, load(desk.connection, *key));
        if (found) included.push_back(std::move(*found));
      }
    }
  }
  return included;
}

std::string search_url(const Desk& desk, const sync::SearchQuery& query,
                       const std::optional<sync::SearchPlace>& after) {
  sync::QueryPairs pairs = query.used;
  if (after) pairs.emplace_back("_page", sync::write_place(*after));
  const std::string text = sync::write_query_pairs(pairs);
  return text.empty() ? cat(desk.base, "/", query.type)
                      : cat(desk.base, "/", query.type, "?", text);
}

Json links_of(const Desk& desk, const sync::SearchQuery& query, const sync::SearchPage& page) {
  Json links = Json::array(
      {Json::object({{"relation", "self"}, {"url", search_url(desk, query, query.after)}})});
  if (page.next) {
    links.add(Json::object({{"relation", "next"}, {"url", search_url(desk, query, page.next)}}));
  }
  return links;
}

/// Whose records the search is about, where it names one patient.
std::string patient_sought(const sync::SearchQuery& query) {
  for (const sync::Criterion& criterion : query.criteria) {
    if (criterion.values.size() != 1) continue;
    if (query.type == "Patient" && criterion.over == sync::Criterion::Over::id)
      return cat("Patient/", criterion.values[0].text);
    for (const std::string& target : criterion.values[0].targets) {
      if (target.starts_with("Patient/")) return target;
    }
  }
  return {};
}

sync::SearchDemands demands_of(const Desk& desk, bool strict) {
  return {strict, desk.base, desk.editing.worklist.time_zone};
}

/// A chain tells something of the type it leads to.
std::optional<FhirResponse> refuse_chains(const Desk& desk, const sync::SearchQuery& query) {
  for (const sync::Criterion& criterion : query.criteria) {
    if (criterion.chain_type.empty()) continue;
    if (auto refused = refuse_without_scope(desk.client, 's', criterion.chain_type)) return refused;
  }
  return std::nullopt;
}

Json ignored_entry(const std::vector<std::string>& ignored) {
  std::string names;
  for (const std::string& name : ignored) names += cat(names.empty() ? "" : ", ", name);
  Json made =
      Json::object({{"resource", outcome("warning", "not-supported",
                                         cat("ignored, since they are not known here: ", names))}});
  made.set("search", Json::object({{"mode", "outcome"}}));
  return made;
}

core::Result<Json> bundle_of(Desk& desk, const sync::SearchQuery& query) {
  GW_TRY(const sync::SearchPage page, sync::run_search(desk.connection, query));
  std::vector<Shown> matches;
  for (const std::string& id : page.ids) {
    GW_TRY(auto found, load(desk.connection, {query.type, id}));
    if (found) matches.push_back(std::move(*found));
  }
  GW_TRY(const std::vector<Shown> included, load_included(desk, query, matches));
  Json bundle = Json::object({{"resourceType", "Bundle"}, {"type", "searchset"}});
  if (page.total) bundle.set("total", *page.total);
  bundle.set("link", links_of(desk, query, page));
  Json entries = Json::array();
  for (const Shown& match : matches) entries.add(entry(match, desk.base, "match"));
  for (const Shown& one : included) entries.add(entry(one, desk.base, "include"));
  if (!query.ignored.empty()) entries.add(ignored_entry(query.ignored));
  if (entries.size() > 0) bundle.set("entry", std::move(entries));
  return bundle;
}

}  // namespace

FhirResponse answer_search(Desk& desk, const FhirRequest& request, const std::string& type) {
  auto query = sync::parse_search(type, request.query, demands_of(desk, request.strict));
  if (!query.ok()) return refusal_of(query.error());
  if (auto refused = refuse_chains(desk, *query)) return std::move(*refused);
  // The links keep what was asked.
  if (auto widened = sync::widen_to_person(desk.connection, *query); !widened.ok())
    return refusal_of(widened.error());
  auto bundle = bundle_of(desk, *query);
  if (!bundle.ok()) return refusal_of(bundle.error());
  desk.note_read("search", cat(type, "?", sync::write_query_pairs(request.query)),
                 patient_sought(*query));
  FhirResponse response;
  response.body = std::move(*bundle);
  return response;
}

Matched match_one(Desk& desk, const std::string& type, const sync::QueryPairs& condition) {
  // Strict: a condition that was half understood would match what nobody meant.
  auto query = sync::parse_search(type, condition, demands_of(desk, true));
  if (!query.ok()) return {"", refusal_of(query.error())};
  if (query->criteria.empty()) {
    return {"", refusal(400, "invalid", "the condition names no search parameter")};
  }
  if (auto refused = refuse_chains(desk, *query)) return {"", std::move(refused)};
  query->count = 2;
  const auto page = sync::run_search(desk.connection, *query);
  if (!page.ok()) return {"", refusal_of(page.error())};
  if (page->ids.size() > 1) {
    return {"", refusal(412, "multiple-matches",
                        cat("the condition fits more than one ", type, "; make it narrower"))};
  }
  return {page->ids.empty() ? std::string() : page->ids[0], std::nullopt};
}

}  // namespace gateway::daemon::fhir
