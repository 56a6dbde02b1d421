#include "sync/contraindication.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "sync/fhir/resource_rules.h"
#include "sync/merged_patients.h"
#include "sync/review.h"
#include "sync/search_params.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr int kOthersMax = 1'000;  // of one patient, the newest ids first
constexpr std::string_view kPrescription = "MedicationRequest";
constexpr std::string_view kAllergy = "AllergyIntolerance";

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

bool is_coded_as(const Json& concept_, std::initializer_list<std::string_view> codes) {
  return std::ranges::any_of(concept_["coding"].items(), [&](const Json& coding) {
    return is_one_of(coding["code"].text(), codes);
  });
}

/// In force, or a status nobody can tell; an allergy that stands.
bool may_matter(const Json& resource) {
  if (resource["resourceType"].text() == kPrescription) {
    return !is_one_of(resource["status"].text(),
                      {"cancelled", "completed", "entered-in-error", "stopped"}) &&
           !resource["doNotPerform"].boolean();
  }
  return resource["resourceType"].text() == kAllergy &&
         !is_coded_as(resource["verificationStatus"], {"refuted", "entered-in-error"}) &&
         !is_coded_as(resource["clinicalStatus"], {"inactive", "resolved"});
}

/// System and code; what has no system, and text, under the empty one.
using Substances = std::set<std::pair<std::string, std::string>>;

void collect(const Json& concept_, Substances& substances) {
  for (const Json& coding : concept_["coding"].items()) {
    if (!coding["code"].text().empty())
      substances.emplace(coding["system"].text(), coding["code"].text());
  }
  if (!concept_["text"].text().empty()) substances.emplace("", concept_["text"].text());
}

/// What "#id" means within `resource`; null: nothing, or the reference leads elsewhere.
const Json& contained(const Json& resource, const Json& reference) {
  static const Json nothing;
  const std::string_view to = reference["reference"].text();
  if (!to.starts_with('#')) return nothing;
  const auto& items = resource["contained"].items();
  const auto found = std::ranges::find_if(
      items, [&](const Json& one) { return one["id"].text() == to.substr(1); });
  return found == items.end() ? nothing : *found;
}

void collect_medication(const Json& prescription, Substances& substances) {
  const Json& reference = prescription["medicationReference"];
  const Json& medication = contained(prescription, reference);
  if (medication.is_null()) {
    if (!reference["reference"].text().empty())
      substances.emplace("", reference["reference"].text());
    return;
  }
  collect(medication["code"], substances);
  for (const Json& ingredient : medication["ingredient"].items()) {
    collect(ingredient["itemCodeableConcept"], substances);
    collect(contained(prescription, ingredient["itemReference"])["code"], substances);
  }
}

Substances substances_of(const Json& resource) {
  Substances substances;
  if (resource["resourceType"].text() == kPrescription) {
    collect(resource["medicationCodeableConcept"], substances);
    collect_medication(resource, substances);
    return substances;
  }
  collect(resource["code"], substances);
  for (const Json& reaction : resource["reaction"].items())
    collect(reaction["substance"], substances);
  return substances;
}

/// True where both name something in one system, and never the same. What a code's class is, nobody
/// here knows: penicillin and amoxicillin differ.
bool say_they_differ(const Json& prescription, const Json& allergy) {
  const Substances given = substances_of(prescription);
  bool comparable = false;
  for (const auto& feared : substances_of(allergy)) {
    if (given.contains(feared)) return false;
    comparable =
        comparable || (!feared.first.empty() && std::ranges::any_of(given, [&](const auto& one) {
          return one.first == feared.first;
        }));
  }
  return comparable;
}

/// For the person who is asked.
std::string named(const Json& concept_) {
  if (!concept_["text"].text().empty()) return std::string(concept_["text"].text());
  for (const Json& coding : concept_["coding"].items()) {
    for (const std::string_view member : {"display", "code"}) {
      if (!coding[member].text().empty()) return std::string(coding[member].text());
    }
  }
  return "a substance that is not named";
}

const Json& drug_of(const Json& prescription) {
  const Json& medication = contained(prescription, prescription["medicationReference"]);
  return medication.is_null() ? prescription["medicationCodeableConcept"] : medication["code"];
}

struct Other {
  ResourceKey key;
  bool is_made_here = false;
};

core::Result<std::vector<Other>> others_of(Connection& connection, std::string_view type,
                                           std::string_view patient) {
  std::vector<Other> others;
  const SearchParam* param = find_search_param(type, "patient");
  if (!param || patient.empty()) return others;
  GW_TRY(auto rows,
         connection.query("SELECT s.id, v.origin = 'clinic' FROM search_reference s JOIN"
                          " resource_version v ON v.type = s.type AND v.id = s.id AND v.version = 1"
                          " WHERE s.target = ? AND s.type = ? AND s.param = ?"
                          " ORDER BY s.id DESC LIMIT ?",
                          patient, type, param->index_name(), kOthersMax));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return others;
    others.push_back({{std::string(type), std::string(rows.text(0))}, rows.integer(1) != 0});
  }
}

/// An allergy recorded before the hospital merged two records is one of the person's.
core::Result<std::vector<Other>> others_of_person(Connection& connection, std::string_view type,
                                                  std::string_view patient) {
  std::vector<Other> others;
  const auto key = parse_reference(patient);
  if (!key) return others;
  GW_TRY(const auto records, records_of_person(connection, key->id));
  for (const std::string& record : records) {
    GW_TRY(auto found, others_of(connection, type, core::cat("Patient/", record)));
    others.insert(others.end(), std::make_move_iterator(found.begin()),
                  std::make_move_iterator(found.end()));
  }
  return others;
}

/// What the hospital's server last knew of it; null: nothing.
core::Result<Json> known_there(Connection& connection, const Reconciling& with,
                               const ResourceKey& key) {
  GW_TRY(const auto base, read_base(connection, with.uplink, key));
  if (!base) return Json();
  GW_TRY(auto body, read_version(connection, key, base->version));
  return body ? std::move(*body) : Json();
}

/// Why the two have not met before.
struct Apart {
  std::string_view prescription;
  std::string_view allergy;
};
constexpr Apart kTwoSides{"on one side", "on the other"};
constexpr Apart kTwoRecords{"in one record of the patient",
                            "in another, and the hospital has merged the two"};

core::Status ask_about(Connection& connection, const Reconciling& with,
                       const ResourceKey& prescription, const Json& body, const Json& allergy,
                       const Apart& apart, std::string_view now) {
  GW_TRY(const auto held, read_newest(connection, prescription));
  const std::int64_t version = held ? held->version : 0;
  GroupDecision decision;
  decision.group = kContraindication;
  decision.asked = true;
  decision.reason = core::cat(named(drug_of(body)), " was prescribed ", apart.prescription,
                              " and allergy to ", named(allergy["code"]), " (AllergyIntolerance/",
                              allergy["id"].text(), ") recorded ", apart.allergy,
                              ". Both act as they are, nothing was changed: stop or change"
                              " the prescription where it must be, then decide here");
  decision.base = decision.ours = decision.theirs = decision.merged = Json::object();
  Merge merge;
  merge.policy = with.policy.version();
  merge.decisions.push_back(std::move(decision));
  const ReviewVersions versions{version, version, version, version};
  GW_TRY(const std::int64_t number,
         put_review(connection, with.uplink, prescription, versions, merge, now));
  return with.audit.append(connection, {.at = with.clock.wall(),
                                        .actor = core::cat("policy:", merge.policy),
                                        .action = "flag",
                                        .resource = prescription.text(),
                                        .patient = patient_of(body),
                                        .source = core::cat("review/", number),
                                        .outcome = "a person is asked"});
}

core::Result<bool> is_asked_already(Connection& connection, const ResourceKey& prescription,
                                    const ResourceKey& allergy) {
  GW_TRY(
      const auto review,
      connection.integer("SELECT 1 FROM review WHERE type = ? AND id = ? AND state = 'open'"
                         " AND instr(decisions, ?)",
                         prescription.type, prescription.id, core::cat("(", allergy.text(), ")")));
  return review.has_value();
}

struct Met {
  ResourceKey key;
  Json body;
  bool is_theirs = false;  // the hospital's own, as it has it
};

core::Result<std::vector<Met>> that_matter(Connection& connection, const Reconciling& with,
                                           std::string_view type,
                                           const std::vector<std::string>& records) {
  std::vector<Met> met;
  for (const std::string& record : records) {
    GW_TRY(const auto others, others_of(connection, type, core::cat("Patient/", record)));
    for (const Other& other : others) {
      GW_TRY(const auto held, read_resource(connection, other.key));
      if (!held || !may_matter(held->body)) continue;
      GW_TRY(const Json known, known_there(connection, with, other.key));
      const bool is_known = may_matter(known) && substances_of(known) == substances_of(held->body);
      met.push_back({other.key, held->body, !other.is_made_here && is_known});
    }
  }
  return met;
}

/// Prescriptions of some records of a person against allergies of the others. Whoever wrote the one
/// can't have seen the other; where both are the hospital's, it is its own affair.
core::Status flag_between(Connection& connection, const Reconciling& with,
                          const std::vector<std::string>& prescribed,
                          const std::vector<std::string>& allergic, std::string_view now) {
  GW_TRY(const auto allergies, that_matter(connection, with, kAllergy, allergic));
  if (allergies.empty()) return {};
  GW_TRY(const auto prescriptions, that_matter(connection, with, kPrescription, prescribed));
  for (const Met& prescription : prescriptions) {
    for (const Met& allergy : allergies) {
      if (prescription.is_theirs && allergy.is_theirs) continue;
      GW_TRY(const bool is_asked, is_asked_already(connection, prescription.key, allergy.key));
      if (is_asked) continue;
      GW_CHECK(ask_about(connection, with, prescription.key, prescription.body, allergy.body,
                         kTwoRecords, now));
    }
  }
  return {};
}

/// The hospital has put a record, with those it had replaced before, to another: what stands in the
/// one meets what stands in the other.
core::Status flag_merged(Connection& connection, const Reconciling& with,
                         const std::string& patient, std::string_view now) {
  std::vector<std::string> joined;
  std::vector<std::string> others;
  GW_TRY(const auto records, records_of_person(connection, patient));
  for (const std::string& record : records) {
    GW_TRY(const auto chain, replacements_of(connection, record));
    const bool came_along = std::ranges::find(chain, patient) != chain.end();
    (came_along ? joined : others).push_back(record);
  }
  GW_CHECK(flag_between(connection, with, joined, others, now));
  return flag_between(connection, with, others, joined, now);
}

std::string survivor_of(const Json& patient) {
  const auto survivor = replaced_by(patient);
  return survivor ? survivor->id : std::string();
}

}  // namespace

bool may_harm(const Json& prescription, const Json& allergy, bool other_side_knew) {
  if (!may_matter(prescription) || !may_matter(allergy)) return false;
  return !other_side_knew || !say_they_differ(prescription, allergy);
}

core::Status flag_contraindications(Connection& connection, const Reconciling& with,
                                    const ResourceKey& arrived, const Json& before,
                                    const Json& after, std::string_view now) {
  if (arrived.type == "Patient") {
    const bool is_merged = replaced_by(after) && survivor_of(before) != survivor_of(after);
    return is_merged ? flag_merged(connection, with, arrived.id, now) : core::Status();
  }
  const bool is_prescription = arrived.type == kPrescription;
  if ((!is_prescription && arrived.type != kAllergy) || !may_matter(after)) return {};
  if (may_matter(before) && substances_of(before) == substances_of(after)) return {};
  GW_TRY(const auto others, others_of_person(connection, is_prescription ? kAllergy : kPrescription,
                                             patient_of(after)));
  for (const Other& other : others) {
    GW_TRY(const auto held, read_resource(connection, other.key));
    GW_TRY(const Json known, known_there(connection, with, other.key));
    if (!held) continue;
    const bool they_knew = may_matter(known) && substances_of(known) == substances_of(held->body);
    if (they_knew && !other.is_made_here) continue;
    const Json& prescription = is_prescription ? after : held->body;
    const Json& allergy = is_prescription ? held->body : after;
    if (!may_harm(prescription, allergy, they_knew)) continue;
    GW_CHECK(ask_about(connection, with, is_prescription ? arrived : other.key, prescription,
                       allergy, kTwoSides, now));
  }
  return {};
}

}  // namespace gateway::sync
