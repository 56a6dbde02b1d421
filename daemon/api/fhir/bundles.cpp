#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/base64.h"
#include "core/ids.h"
#include "core/text.h"
#include "daemon/api/fhir/interactions.h"
#include "sync/fhir/resource_rules.h"

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

/// References that stand for something of the Bundle, or for a search.
class Resolver {
 public:
  explicit Resolver(Desk& desk) : desk_(desk) {}

  void add(const std::string& full_url, std::string reference) {
    if (!full_url.empty()) known_.emplace(full_url, std::move(reference));
  }

  /// A copy in which every reference is a real one.
  core::Result<Json> resolved(const Json& value) {
    if (value.is_array()) {
      Json out = Json::array();
      for (const Json& item : value.items()) {
        GW_TRY(Json made, resolved(item));
        out.add(std::move(made));
      }
      return out;
    }
    if (!value.is_object()) return value;
    Json out = Json::object();
    for (const auto& [name, member] : value.members()) {
      if (name == "reference" && member.is_string()) {
        GW_TRY(std::string reference, target_of(std::string(member.text())));
        out.append_member(name, std::move(reference));
      } else if (known_.contains(std::string(member.text()))) {
        out.append_member(name, known_.at(std::string(member.text())));
      } else {
        GW_TRY(Json made, resolved(member));
        out.append_member(name, std::move(made));
      }
    }
    return out;
  }

 private:
  core::Result<std::string> target_of(const std::string& reference) {
    if (const auto found = known_.find(reference); found != known_.end()) return found->second;
    if (reference.starts_with("urn:uuid:")) {
      return Error(Code::invalid, cat(reference, " is the fullUrl of no entry"));
    }
    const auto question = reference.find('?');
    if (question == std::string::npos || reference.find("://") != std::string::npos)
      return reference;
    const std::string type = reference.substr(0, question);
    if (sync::required_elements(type) == nullptr)
      return Error(Code::invalid, "a conditional reference is to no type of this server");
    if (!desk_.client.may('s', type)) {
      return Error(Code::invalid,
                   cat("a conditional reference needs the scope system/", type, ".s"));
    }
    GW_TRY(const auto pairs, sync::parse_query_pairs(reference.substr(question + 1)));
    const Matched matched = match_one(desk_, type, pairs);
    if (!matched.refused && !matched.id.empty()) return cat(type, "/", matched.id);
    return Error(Code::invalid, cat("a conditional reference to ", type, " fits none, or several"));
  }

  Desk& desk_;
  std::map<std::string, std::string> known_;
};

core::Result<std::vector<Entry>> read_entries(const Json& bundle, const std::string& base) {
  std::vector<Entry> entries;
  for (const Json& json : bundle["entry"].items()) {
    Entry entry;
    entry.number = entries.size() + 1;
    entry.full_url = json["fullUrl"].text();
    auto request = request_of_entry(json, base);
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
    GW_TRY(condition, sync::parse_query_pairs(entry.request.if_none_exist));
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

/// Gives every new resource its id, then makes the references real.
core::Status settle_identities(Desk& desk, std::vector<Entry>& entries) {
  Resolver resolver(desk);
  std::set<std::string> once;
  for (Entry& entry : entries) {
    GW_TRY(entry.identity, identity_of(desk, entry));
    if (entry.identity.empty()) continue;
    if (!once.insert(entry.identity).second) {
      return Error(Code::invalid,
                   cat("entry ", entry.number, ": another entry is about the same resource"));
    }
    resolver.add(entry.full_url, entry.identity);
  }
  for (Entry& entry : entries) {
    if (entry.request.body.is_null()) continue;
    auto body = resolver.resolved(entry.request.body);
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

core::Result<FhirRequest> request_of_entry(const Json& entry, const std::string& base) {
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
  request.body = entry["resource"];
  if (request.method == "PATCH") {
    GW_TRY(request.body, patch_of(request.body));
  }
  request.want = Want::minimal;
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

FhirResponse answer_transaction(Desk& desk, const Json& bundle) {
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
  std::stable_sort(order.begin(), order.end(),
                   [](const Entry* a, const Entry* b) { return turn_of(*a) < turn_of(*b); });
  desk.keeps_referred = false;
  if (auto refused = perform_removals(desk, removals)) return std::move(*refused);
  for (Entry* entry : order) {
    if (auto refused = perform_entry(desk, *entry)) return std::move(*refused);
  }
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
