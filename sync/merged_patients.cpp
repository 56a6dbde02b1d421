#include "sync/merged_patients.h"

#include <algorithm>
#include <memory>

#include "core/text.h"
#include "sync/fhir/resource_rules.h"
#include "sync/search.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;

// A chain of merges longer than this is a ring.
constexpr std::size_t kMergesMax = 8;
constexpr std::size_t kRecordsMax = 50;
// A chained criterion that names more people than this is no search for one of them.
constexpr int kPeopleMax = 100;

bool holds(const std::vector<std::string>& ids, const std::string& id) {
  return std::ranges::find(ids, id) != ids.end();
}

core::Result<std::vector<std::string>> replaced_records(Connection& connection,
                                                        const std::string& patient) {
  const ResourceKey key{"Patient", patient};
  GW_TRY(const auto linked,
         find_referrers(connection, key.text(), static_cast<int>(kRecordsMax), "Patient"));
  std::vector<std::string> replaced;
  for (const std::string& reference : linked) {
    const auto other = parse_reference(reference);
    if (!other) continue;
    GW_TRY(const auto held, read_resource(connection, *other));
    if (!held) continue;
    const auto by = replaced_by(held->body);
    if (by && by->id == patient) replaced.push_back(other->id);
  }
  return replaced;
}

core::Status widen_targets(Connection& connection, std::vector<std::string>& targets) {
  const std::vector<std::string> asked = targets;
  for (const std::string& target : asked) {
    const auto key = parse_reference(target);
    if (!key || key->type != "Patient") continue;
    GW_TRY(const auto records, records_of_person(connection, key->id));
    for (const std::string& id : records) {
      const std::string reference = cat("Patient/", id);
      if (!holds(targets, reference)) targets.push_back(reference);
    }
  }
  return {};
}

/// The criterion at the end of a chain to Patient, as the people it names.
core::Status settle_chain(Connection& connection, Criterion& criterion) {
  SearchQuery people;
  people.type = criterion.chain_type;
  people.criteria = {*criterion.chain};
  people.count = kPeopleMax;
  GW_TRY(const SearchPage page, run_search(connection, people));
  if (page.next) return {};
  SearchValue value;
  for (const std::string& id : page.ids) value.targets.push_back(cat("Patient/", id));
  criterion.chain.reset();
  criterion.values.clear();
  if (!value.targets.empty()) criterion.values.push_back(std::move(value));
  return {};
}

/// `value` with every reference to `from` aimed at `to`.
Json aimed(const Json& value, const std::string& from, const std::string& to) {
  Json out = Json::object();
  for (const auto& [name, member] : value.members()) {
    if (name == "reference" && member.text() == from) {
      out.append_member(name, to);
    } else {
      out.append_member(name, member);
    }
  }
  return out;
}

/// Where patient_of() finds whom a resource is about.
Json about(const Json& resource, const std::string& from, const std::string& to) {
  Json out = Json::object();
  for (const auto& [name, member] : resource.members()) {
    if (name == "subject" || name == "patient" || name == "for") {
      out.append_member(name, aimed(member, from, to));
    } else if (name == "participant" && member.is_array()) {
      Json participants = Json::array();
      for (const Json& participant : member.items()) {
        Json one = participant;
        if (one["actor"].is_object()) one.set("actor", aimed(participant["actor"], from, to));
        participants.add(std::move(one));
      }
      out.append_member(name, std::move(participants));
    } else {
      out.append_member(name, member);
    }
  }
  return out;
}

/// What the hospital at `uplink` said of it last; null: nothing, or that it was deleted.
core::Result<Json> said_there(Connection& connection, const std::string& uplink,
                              const ResourceKey& key) {
  GW_TRY(const auto base, read_base(connection, uplink, key));
  if (!base) return Json();
  GW_TRY(auto body, read_version(connection, key, base->version));
  return body ? std::move(*body) : Json();
}

}  // namespace

std::optional<ResourceKey> replaced_by(const Json& patient) {
  for (const Json& link : patient["link"].items()) {
    if (link["type"].text() != "replaced-by") continue;
    auto key = parse_reference(link["other"]["reference"].text());
    if (key && key->type == "Patient") return key;
  }
  return std::nullopt;
}

core::Result<std::vector<std::string>> replacements_of(Connection& connection,
                                                       const std::string& patient) {
  std::vector<std::string> chain;
  std::string id = patient;
  while (!holds(chain, id) && chain.size() <= kMergesMax) {
    GW_TRY(const auto held, read_resource(connection, {"Patient", id}));
    if (!held) return chain.empty() ? std::vector<std::string>{patient} : chain;
    chain.push_back(id);
    const auto survivor = replaced_by(held->body);
    if (!survivor) return chain;
    id = survivor->id;
  }
  return std::vector<std::string>{patient};
}

core::Result<std::vector<std::string>> records_of_person(Connection& connection,
                                                         const std::string& patient) {
  GW_TRY(const auto chain, replacements_of(connection, patient));
  std::vector<std::string> records = {chain.back()};
  for (std::size_t i = 0; i < records.size() && records.size() < kRecordsMax; ++i) {
    GW_TRY(const auto replaced, replaced_records(connection, records[i]));
    for (const std::string& id : replaced) {
      if (records.size() < kRecordsMax && !holds(records, id)) records.push_back(id);
    }
  }
  if (!holds(records, patient)) records.push_back(patient);
  return records;
}

core::Status widen_to_person(Connection& connection, SearchQuery& query) {
  if (query.type == "Patient") return {};
  for (Criterion& criterion : query.criteria) {
    if (criterion.chain && criterion.chain_type == "Patient")
      GW_CHECK(settle_chain(connection, criterion));
    for (SearchValue& value : criterion.values) GW_CHECK(widen_targets(connection, value.targets));
  }
  return {};
}

core::Result<std::optional<Json>> aimed_at_survivor(Connection& connection,
                                                    const std::string& uplink,
                                                    const Json& resource) {
  const auto none = std::optional<Json>();
  const auto patient = parse_reference(patient_of(resource));
  if (!patient || resource["resourceType"].text() == "Patient") return none;
  ResourceKey survivor = *patient;
  for (std::size_t links = 0; links <= kMergesMax; ++links) {
    GW_TRY(const Json said, said_there(connection, uplink, survivor));
    const auto next = replaced_by(said);
    if (!next) {
      if (said.is_null() || survivor.id == patient->id) return none;
      return std::optional<Json>(about(resource, patient->text(), survivor.text()));
    }
    survivor = *next;
  }
  return none;
}

}  // namespace gateway::sync
