#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "core/base64.h"
#include "core/ids.h"
#include "core/text.h"
#include "daemon/api/fhir/interactions.h"
#include "daemon/api/fhir/references.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

struct Entry {
  std::size_t number = 0;  // from 1, as the client counts
  std::string full_url;
  FhirRequest request;
  Interaction what;
  std::string identity = {};  // what references to it were made to; empty: not known before
  FhirResponse response = {};
};

/// R4 3.1.0.11.2: deletes, which are done before all these, creates, updates and patches, reads.
int turn_of(const Entry& entry) {
  switch (entry.what.kind) {
    case Kind::create:
      return 1;
    case Kind::update:
    case Kind::patch:
      return 2;
    default:
      return 3;
  }
}

FhirResponse at_entry(std::size_t number, FhirResponse refused) {
  const Json& issue = refused.body["issue"][std::size_t{0}];
  refused.body = outcome("error", issue["code"].text(),
                         cat("entry ", number, ": ", issue["diagnostics"].text(),
                             "; nothing of the transaction was done"));
  return refused;
}

core::Result<std::vector<Entry>> read_entries(const FhirRequest& bundle, const std::string& base) {
  std::vector<Entry> entries;
  for (const Json& json : bundle.body["entry"].items()) {
    Entry entry;
    entry.number = entries.size() + 1;
    entry.full_url = json["fullUrl"].text();
    auto request = request_of_entry(json, bundle, base);
    if (!request.ok()) return std::move(request).error().with_context(cat("entry ", entry.number));
    entry.request = std::move(*request);
    auto what = interaction_of(entry.request);
    if (!what.ok()) return std::move(what).error().with_context(cat("entry ", entry.number));
    entry.what = std::move(*what);
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// Which resource the entry will be about, where that can be known before; makes ids for new ones.
core::Result<std::string> identity_of(Desk& desk, Entry& entry) {
  const Interaction& what = entry.what;
  if (what.kind != Kind::create && !what.writes()) return std::string();
  if (what.kind != Kind::create && !what.id.empty()) return cat(what.type, "/", what.id);
  sync::QueryPairs condition = entry.request.query;
  if (what.kind == Kind::create) {
    GW_TRY(condition, condition_of(entry.request.if_none_exist));
  }
  if (!condition.empty()) {
    Matched matched = match_one(desk, what.type, condition);
    // What is wrong with it is said when the entry's turn comes.
    if (matched.refused) return std::string();
    if (!matched.id.empty()) return cat(what.type, "/", matched.id);
  }
  if (what.kind == Kind::remove || what.kind == Kind::patch) return std::string();
  const std::string given(entry.request.body["id"].text());
  entry.request.new_id =
      what.kind == Kind::update && !given.empty() ? given : core::new_uuid(desk.editing.clock);
  return cat(what.type, "/", entry.request.new_id);
}

/// Gives every new resource its id, then makes the references to entries real.
core::Status settle_identities(Desk& desk, std::vector<Entry>& entries) {
  FullUrls known;
  std::set<std::string> once;
  for (Entry& entry : entries) {
    GW_TRY(entry.identity, identity_of(desk, entry));
    if (entry.identity.empty()) continue;
    if (!once.insert(entry.identity).second) {
      return Error(Code::invalid,
                   cat("entry ", entry.number, ": another entry is about the same resource"));
    }
    known.add(entry.full_url, entry.identity);
  }
  for (Entry& entry : entries) {
    if (entry.request.body.is_null()) continue;
    auto body = known.resolved(entry.request.body, entry.full_url);
    if (!body.ok()) return std::move(body).error().with_context(cat("entry ", entry.number));
    entry.request.body = std::move(*body);
  }
  return {};
}

/// The JSON Patch that a Binary carries (R4 3.1.0.8.1: how a Bundle holds a patch).
core::Result<Json> patch_of(const Json& binary) {
  if (binary["resourceType"].text() != "Binary" ||
      !binary["contentType"].text().starts_with("application/json-patch+json")) {
    return Error(Code::invalid,
                 "a patch in a Bundle is a Binary of contentType application/json-patch+json");
  }
  const auto bytes = core::from_base64(binary["data"].text());
  if (!bytes) return Error(Code::invalid, "the data of the patch's Binary is not base64");
  return Json::parse(*bytes);
}

/// A condition may fit what an entry before it has just made: references would then lead nowhere.
bool became_another(const Entry& entry) {
  return !entry.identity.empty() && !entry.response.location.empty() &&
         !entry.response.location.starts_with(cat(entry.identity, "/_history/"));
}

/// Answers the refusal of the whole, where there is one.
std::optional<FhirResponse> perform_entry(Desk& desk, Entry& entry) {
  entry.response = perform(desk, entry.request, entry.what);
  const bool fine = entry.response.ok() || (entry.what.kind == Kind::read);
  if (!fine) return at_entry(entry.number, std::move(entry.response));
  if (!became_another(entry)) return std::nullopt;
  return at_entry(entry.number,
                  refusal(412, "multiple-matches", "its condition fits what another entry makes"));
}

/// Those that refer to something by a condition, which may fit what another entry makes (R4
/// 3.1.0.11.2: conditional references come last): each once what it wants is there.
std::optional<FhirResponse> perform_searching(Desk& desk, std::vector<Entry*> entries) {
  std::string unfit;
  for (std::size_t before = entries.size() + 1; entries.size() < before;) {
    before = entries.size();
    for (Entry* entry : std::exchange(entries, {})) {
      auto met = conditions_met(desk, entry->request.body);
      if (!met.ok()) return at_entry(entry->number, refusal_of(met.error()));
      if (!met->unfit.empty()) {
        unfit = std::move(met->unfit);
        entries.push_back(entry);
        continue;
      }
      entry->request.body = std::move(met->body);
      if (auto refused = perform_entry(desk, *entry)) return refused;
    }
  }
  if (entries.empty()) return std::nullopt;
  return at_entry(entries.back()->number,
                  refusal(400, "invalid", cat("a conditional reference to ", unfit, " fits none")));
}

/// Creates, updates and patches, then reads.
std::optional<FhirResponse> perform_others(Desk& desk, std::vector<Entry*> order) {
  std::stable_sort(order.begin(), order.end(),
                   [](const Entry* a, const Entry* b) { return turn_of(*a) < turn_of(*b); });
  std::vector<Entry*> searching;
  std::vector<Entry*> reads;
  for (Entry* entry : order) {
    if (!entry->what.writes()) {
      reads.push_back(entry);
    } else if (has_conditional(entry->request.body)) {
      searching.push_back(entry);
    } else if (auto refused = perform_entry(desk, *entry)) {
      return refused;
    }
  }
  if (auto refused = perform_searching(desk, std::move(searching))) return refused;
  for (Entry* entry : reads) {
    if (auto refused = perform_entry(desk, *entry)) return refused;
  }
  return std::nullopt;
}

/// The deletions, whatever refers to another first: so the hospital is told in an order it can
/// follow. What refers to each other, or is let go by a later entry, is looked at when all is done.
std::optional<FhirResponse> perform_removals(Desk& desk, std::vector<Entry*> removals) {
  for (std::size_t before = removals.size() + 1; removals.size() < before;) {
    before = removals.size();
    for (Entry* entry : std::exchange(removals, {})) {
      if (!entry->identity.empty() && refuse_referred(desk, entry->identity)) {
        removals.push_back(entry);
      } else if (auto refused = perform_entry(desk, *entry)) {
        return refused;
      }
    }
  }
  for (Entry* entry : removals) {
    if (auto refused = perform_entry(desk, *entry)) return refused;
  }
  return std::nullopt;
}

}  // namespace

core::Result<FhirRequest> request_of_entry(const Json& entry, const FhirRequest& bundle,
                                           const std::string& base) {
  const Json& asked = entry["request"];
  FhirRequest request;
  request.method = asked["method"].text();
  std::string_view url = asked["url"].text();
  if (request.method.empty() || url.empty()) {
    return Error(Code::invalid, "it has no request.method or request.url");
  }
  if (url.starts_with(base)) url.remove_prefix(base.size());
  if (url.starts_with('/')) url.remove_prefix(1);
  const auto question = url.find('?');
  request.path = url.substr(0, question);
  if (question != std::string_view::npos) {
    GW_TRY(request.query, sync::parse_query_pairs(url.substr(question + 1)));
  }
  request.if_match = asked["ifMatch"].text();
  request.if_none_match = asked["ifNoneMatch"].text();
  request.if_none_exist = asked["ifNoneExist"].text();
  request.if_modified_since = http_date(asked["ifModifiedSince"].text());
  request.body = entry["resource"];
  if (request.method == "PATCH") {
    GW_TRY(request.body, patch_of(request.body));
  }
  request.strict = bundle.strict;
  request.want = bundle.want.value_or(Want::minimal);
  return request;
}

Json entry_of(const FhirResponse& response, const std::string& base) {
  Json said = Json::object({{"status", std::to_string(response.status)}});
  if (!response.location.empty()) said.set("location", cat(base, "/", response.location));
  if (response.version > 0) said.set("etag", cat("W/\"", response.version, "\""));
  if (!response.at.empty()) said.set("lastModified", response.at);
  Json entry = Json::object();
  const bool is_outcome = response.body["resourceType"].text() == "OperationOutcome";
  if (is_outcome) {
    said.set("outcome", response.body);
  } else if (!response.body.is_null()) {
    entry.set("resource", response.body);
  }
  entry.set("response", std::move(said));
  return entry;
}

FhirResponse answer_transaction(Desk& desk, const FhirRequest& bundle) {
  auto entries = read_entries(bundle, desk.base);
  if (!entries.ok()) return refusal_of(entries.error());
  // Before conditions are looked up: they tell what is held.
  for (const Entry& entry : *entries) {
    if (auto refused = refuse_interaction(desk.client, entry.what))
      return at_entry(entry.number, std::move(*refused));
  }
  if (auto settled = settle_identities(desk, *entries); !settled.ok())
    return refusal_of(settled.error());
  std::vector<Entry*> removals;
  std::vector<Entry*> order;
  for (Entry& entry : *entries)
    (entry.what.kind == Kind::remove ? removals : order).push_back(&entry);
  desk.keeps_referred = false;
  if (auto refused = perform_removals(desk, removals)) return std::move(*refused);
  if (auto refused = perform_others(desk, std::move(order))) return std::move(*refused);
  for (const Entry* entry : removals) {
    if (entry->response.version == 0) continue;  // it was never held
    if (auto refused = refuse_referred(desk, entry->identity))
      return at_entry(entry->number, std::move(*refused));
  }
  Json answers = Json::array();
  for (const Entry& entry : *entries) answers.add(entry_of(entry.response, desk.base));
  FhirResponse response;
  response.body = Json::object({{"resourceType", "Bundle"}, {"type", "transaction-response"}});
  if (answers.size() > 0) response.body.set("entry", std::move(answers));
  return response;
}

}  // namespace gateway::daemon::fhir
