#include <algorithm>
#include <charconv>

#include "core/civil_time.h"
#include "core/text.h"
#include "daemon/api/fhir/interactions.h"
#include "sync/fhir/resource_rules.h"
#include "sync/search_date.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Json;

constexpr int kHistoryCount = 50;
constexpr int kHistoryCountMax = 500;

struct Version {
  std::string type, id;
  std::int64_t version = 0;
  std::string at;
  Json body;  // null: a tombstone
};

FhirResponse resource_response(const Version& held) {
  FhirResponse response;
  response.body = shown(held.body, held.version, held.at);
  response.version = held.version;
  response.at = held.at;
  return response;
}

FhirResponse unknown(const Interaction& what) {
  return refusal(404, "not-found", cat(what.type, "/", what.id, " is not held here"));
}

/// If-None-Match and If-Modified-Since (R4 3.1.0.1.3).
bool is_unchanged(const FhirRequest& request, const Version& held) {
  if (!request.if_none_match.empty()) return read_tags(request.if_none_match).names(held.version);
  const auto since = core::parse_http_date(request.if_modified_since);
  const auto at = core::parse_instant(held.at);
  // The header has whole seconds only.
  return since && at && std::chrono::floor<std::chrono::seconds>(*at) <= *since;
}

/// Which versions, newest first.
struct HistoryQuery {
  std::string type, id;  // empty: all
  std::string since;     // FHIR instant; empty: from the first on
  int count = kHistoryCount;
  Version after;  // where the page begins; empty `at`: at the newest
};

core::Result<HistoryQuery> history_query(const FhirRequest& request, const Interaction& what) {
  HistoryQuery query{what.type, what.id, "", kHistoryCount, {}};
  for (const auto& [name, value] : request.query) {
    if (name == "_count") {
      const auto number = Json::parse(value);
      const auto count = number.ok() ? number->integer() : std::nullopt;
      if (!count || *count < 1)
        return core::Error(core::Code::invalid, "_count must be a whole number of 1 or more");
      query.count = static_cast<int>(std::min<std::int64_t>(*count, kHistoryCountMax));
    } else if (name == "_since") {
      const auto span = sync::time_span(value);
      if (!span) return core::Error(core::Code::invalid, "_since must be a FHIR instant");
      query.since = sync::instant_text(span->low);
    } else if (name == "_page") {
      const auto parts = value.find(',');
      const auto key = sync::parse_reference(parts == std::string::npos ? std::string()
                                                                        : value.substr(parts + 1));
      const auto slash = value.rfind('/');
      const auto version = version_of_tag(value.substr(slash == std::string::npos ? 0 : slash + 1));
      if (!key || !version) {
        return core::Error(core::Code::invalid, "_page is not of a link this server gave");
      }
      query.after = {key->type, key->id, *version, value.substr(0, parts), Json()};
    } else if (request.strict && name != "_format" && name != "_pretty") {
      return core::Error(core::Code::invalid, cat("a history has no parameter ", name, " here"));
    }
  }
  return query;
}

core::Result<std::vector<Version>> read_versions(crypto::Connection& connection,
                                                 const HistoryQuery& query) {
  std::string sql = "SELECT type, id, version, at, body FROM resource_version WHERE at >= ?1";
  sql += query.type.empty() ? " AND ?2 = ''" : " AND type = ?2";
  sql += query.id.empty() ? " AND ?3 = ''" : " AND id = ?3";
  sql += query.after.at.empty() ? " AND ?4 = '' AND ?5 = '' AND ?6 = '' AND ?7 >= 0"
                                : " AND (at, type, id, version) < (?4, ?5, ?6, ?7)";
  sql += " ORDER BY at DESC, type DESC, id DESC, version DESC LIMIT ?8";
  GW_TRY(auto rows,
         connection.query(sql, query.since, query.type, query.id, query.after.at, query.after.type,
                          query.after.id, query.after.version, query.count + 1));
  std::vector<Version> found;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return found;
    GW_TRY(Json body, Json::parse(rows.text(4)));
    found.push_back({std::string(rows.text(0)), std::string(rows.text(1)), rows.integer(2),
                     std::string(rows.text(3)), std::move(body)});
  }
}

Json history_entry(const Version& held, const std::string& base) {
  const std::string place = cat(held.type, "/", held.id);
  Json entry = Json::object({{"fullUrl", cat(base, "/", place)}});
  const bool deleted = held.body.is_null();
  if (!deleted) entry.set("resource", shown(held.body, held.version, held.at));
  const char* const method = deleted ? "DELETE" : "PUT";
  const bool first = held.version == 1;
  entry.set("request", Json::object({{"method", first && !deleted ? "POST" : method},
                                     {"url", first && !deleted ? held.type : place}}));
  entry.set("response", Json::object({{"status", deleted ? "204"
                                                 : first ? "201"
                                                         : "200"},
                                      {"etag", cat("W/\"", held.version, "\"")},
                                      {"lastModified", held.at}}));
  return entry;
}

std::string history_path(const Interaction& what) {
  if (what.type.empty()) return "_history";
  return what.id.empty() ? cat(what.type, "/_history") : cat(what.type, "/", what.id, "/_history");
}

Json link(std::string_view relation, const std::string& url) {
  return Json::object({{"relation", relation}, {"url", url}});
}

Json history_links(const FhirRequest& request, const std::string& url, const Version* last) {
  sync::QueryPairs pairs = request.query;
  const std::string own = sync::write_query_pairs(pairs);
  Json links = Json::array({link("self", own.empty() ? url : cat(url, "?", own))});
  if (last == nullptr) return links;
  std::erase_if(pairs, [](const auto& pair) { return pair.first == "_page"; });
  pairs.emplace_back("_page",
                     cat(last->at, ",", last->type, "/", last->id, "/_history/", last->version));
  links.add(link("next", cat(url, "?", sync::write_query_pairs(pairs))));
  return links;
}

}  // namespace

FhirResponse was_deleted(const sync::ResourceKey& key, const sync::VersionFacts& tombstone) {
  FhirResponse response =
      refusal(410, "deleted", cat(key.text(), " was deleted; its versions are in its _history"));
  response.version = tombstone.version;
  return response;
}

FhirResponse answer_read(Desk& desk, const FhirRequest& request, const Interaction& what) {
  const sync::ResourceKey key{what.type, what.id};
  auto newest = sync::read_newest(desk.connection, key);
  if (!newest.ok()) return refusal_of(newest.error());
  if (!*newest) return unknown(what);
  if ((*newest)->deleted) return was_deleted(key, **newest);
  Version held{what.type, what.id, (*newest)->version, (*newest)->at, Json()};
  auto resource = sync::read_resource(desk.connection, key);
  if (!resource.ok()) return refusal_of(resource.error());
  held.body = std::move((*resource)->body);
  desk.note_read("read", key.text(), sync::patient_of(held.body));
  if (!is_unchanged(request, held)) return resource_response(held);
  FhirResponse response;
  response.status = 304;
  response.version = held.version;
  response.at = held.at;
  return response;
}

FhirResponse answer_vread(Desk& desk, const Interaction& what) {
  const auto version = version_of_tag(what.version);
  if (!version) return unknown(what);
  auto rows = desk.connection.query(
      "SELECT at, body FROM resource_version WHERE type = ? AND id = ? AND version = ?", what.type,
      what.id, *version);
  if (!rows.ok()) return refusal_of(rows.error());
  const auto found = rows->next();
  if (!found.ok()) return refusal_of(found.error());
  if (!*found) return unknown(what);
  auto body = Json::parse(rows->text(1));
  if (!body.ok()) return refusal_of(body.error());
  const Version held{what.type, what.id, *version, std::string(rows->text(0)), std::move(*body)};
  if (held.body.is_null()) return was_deleted({what.type, what.id}, {held.version, held.at, true});
  desk.note_read("vread", cat(what.type, "/", what.id, "/_history/", *version),
                 sync::patient_of(held.body));
  return resource_response(held);
}

FhirResponse answer_history(Desk& desk, const FhirRequest& request, const Interaction& what) {
  auto query = history_query(request, what);
  if (!query.ok()) return refusal_of(query.error());
  auto versions = read_versions(desk.connection, *query);
  if (!versions.ok()) return refusal_of(versions.error());
  if (!what.id.empty() && versions->empty() && query->since.empty() && query->after.at.empty())
    return unknown(what);
  const bool more = versions->size() > static_cast<std::size_t>(query->count);
  if (more) versions->pop_back();
  Json bundle = Json::object({{"resourceType", "Bundle"}, {"type", "history"}});
  bundle.set("link", history_links(request, cat(desk.base, "/", history_path(what)),
                                   more ? &versions->back() : nullptr));
  Json entries = Json::array();
  for (const Version& held : *versions) entries.add(history_entry(held, desk.base));
  if (entries.size() > 0) bundle.set("entry", std::move(entries));
  desk.note_read("history", history_path(what),
                 what.type == "Patient" && !what.id.empty() ? cat("Patient/", what.id) : "");
  FhirResponse response;
  response.body = std::move(bundle);
  return response;
}

}  // namespace gateway::daemon::fhir
