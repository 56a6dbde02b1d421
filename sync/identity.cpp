#include "sync/identity.h"

#include <algorithm>
#include <set>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"
#include "sync/fhir/resource_rules.h"
#include "sync/issuer.h"
#include "sync/merged_patients.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::Json;

/// What disagrees between the data set and the Patient, for a person to read; empty when all
/// agrees.
std::string disagreement(const PersonFacts& facts, const Json& patient) {
  std::string what;
  const auto add = [&](std::string_view element) {
    what += core::cat(what.empty() ? "" : ", ", element);
  };
  if (!fhir::names_agree(facts.name.for_the_record(), fhir::pn_from_human_names(patient["name"])))
    add("name");
  const std::string born = core::to_dicom_date(patient["birthDate"].text());
  if (!born.empty() && !facts.birth_date.empty() && born != facts.birth_date) add("birth date");
  const std::string sex = fhir::sex_from_gender(patient["gender"].text());
  if (!sex.empty() && !fhir::gender_from_sex(facts.sex.for_the_record()).empty() &&
      sex != facts.sex)
    add("sex");
  return what;
}

/// Links to `patient`, not to the record that has replaced it: the hospital may part them again.
/// Either may say who it is.
core::Result<StudyIdentity> compare_with(crypto::Connection& connection, const PersonFacts& facts,
                                         const std::string& patient, std::string service_request) {
  GW_TRY(const auto records, replacements_of(connection, patient));
  std::string what;
  for (const std::string& record : records) {
    GW_TRY(const auto held, read_resource(connection, {"Patient", record}));
    if (!held)
      return StudyIdentity{"disputed", "the patient's record is not held", "",
                           std::move(service_request)};
    what = disagreement(facts, held->body);
    if (what.empty()) return StudyIdentity{"linked", "", patient, std::move(service_request)};
  }
  return StudyIdentity{"disputed", core::cat("the patient id is known, but ", what, " differ"), "",
                       std::move(service_request)};
}

/// Of records that are of one person, the one with most replacements; empty: they are of several.
core::Result<std::string> first_record(crypto::Connection& connection,
                                       std::span<const std::string> patients) {
  std::string first;
  std::string survivor;
  std::size_t longest = 0;
  for (const std::string& patient : patients) {
    GW_TRY(const auto records, replacements_of(connection, patient));
    if (!survivor.empty() && records.back() != survivor) return std::string();
    survivor = records.back();
    if (records.size() <= longest) continue;
    longest = records.size();
    first = patient;
  }
  return first;
}

PersonFacts person_of(const InstanceFacts& facts) {
  return {facts.patient_name, facts.birth_date, facts.sex};
}

}  // namespace

core::Result<StudyIdentity> match_patient(crypto::Connection& connection,
                                          std::span<const PatientId> ids,
                                          const PersonFacts& facts) {
  if (ids.empty()) return StudyIdentity{"unassigned", "no patient id was sent", "", ""};
  std::vector<std::string> patients;
  for (const PatientId& id : ids) {
    GW_TRY(auto found, find_by_identifier(connection, "Patient", id.system, id.value));
    for (std::string& patient : found) {
      if (std::find(patients.begin(), patients.end(), patient) == patients.end())
        patients.push_back(std::move(patient));
    }
  }
  if (patients.empty()) return StudyIdentity{"provisional", "", "", ""};
  GW_TRY(const std::string patient, first_record(connection, patients));
  if (patient.empty())
    return StudyIdentity{"disputed", "several patients carry this patient id", "", ""};
  return compare_with(connection, facts, patient, "");
}

core::Result<StudyIdentity> match_carrier(crypto::Connection& connection,
                                          std::span<const PatientId> carriers,
                                          const PersonFacts& facts) {
  std::set<std::string> owners;
  for (const PatientId& carrier : carriers) {
    for (const char* type : {"Specimen", "ServiceRequest"}) {
      GW_TRY(const auto found, find_by_identifier(connection, type, carrier.system, carrier.value));
      for (const std::string& id : found) {
        GW_TRY(const auto held, read_resource(connection, {type, id}));
        // A specimen that answers no order is one a device told of: its number may come again.
        const bool is_ordered = held && (type == std::string_view("ServiceRequest") ||
                                         held->body["request"].size() > 0);
        const auto owner = parse_reference(is_ordered ? patient_of(held->body) : std::string());
        if (owner) owners.insert(owner->id);
      }
    }
  }
  const std::vector<std::string> patients(owners.begin(), owners.end());
  if (patients.empty())
    return StudyIdentity{"unassigned", "no patient id was sent, and no order names the specimen",
                         "", ""};
  GW_TRY(const std::string patient, first_record(connection, patients));
  if (patient.empty())
    return StudyIdentity{"disputed", "orders of several patients name this specimen", "", ""};
  return compare_with(connection, facts, patient, "");
}

std::string patient_id_system(std::string_view issuer_text, std::string_view default_system) {
  const std::string_view issuer = core::trim(issuer_text);
  if (issuer.empty()) return std::string(default_system);
  if (issuer.find(':') != std::string_view::npos)
    return std::string(issuer);  // a URI: our own worklist hands these out
  const bool is_oid = std::all_of(issuer.begin(), issuer.end(),
                                  [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (is_oid) return core::cat("urn:oid:", issuer);
  // A local name means something only here: it never equals an issuer known by URI.
  return local_issuer_system(default_system, issuer);
}

core::Result<StudyIdentity> decide_identity(crypto::Connection& connection,
                                            const InstanceFacts& facts,
                                            std::string_view default_system) {
  std::string step_patient;
  std::string step_patient_id;
  std::string service_request;
  {
    GW_TRY(auto rows,
           connection.query(
               "SELECT patient, patient_id, service_request FROM worklist_step WHERE study_uid = ?",
               facts.study_instance_uid));
    GW_TRY(const bool found, rows.next());
    if (found) {
      step_patient = rows.text(0);
      step_patient_id = rows.text(1);
      service_request = rows.text(2);
    }
  }
  if (facts.patient_id.empty()) {
    return StudyIdentity{"unassigned", "the images carry no patient id", "",
                         std::move(service_request)};
  }
  if (!step_patient.empty()) {
    if (step_patient_id != facts.patient_id) {
      return StudyIdentity{
          "disputed", "the images carry another patient id than the worklist entry they answer", "",
          std::move(service_request)};
    }
    return compare_with(connection, person_of(facts), step_patient, std::move(service_request));
  }
  const PatientId id{patient_id_system(facts.patient_id_issuer, default_system), facts.patient_id};
  return match_patient(connection, {&id, 1}, person_of(facts));
}

core::Result<StudyIdentity> identity_named_by_person(crypto::Connection& connection,
                                                     const InstanceFacts& facts,
                                                     const std::string& patient) {
  GW_TRY(const auto held, read_resource(connection, {"Patient", patient}));
  if (!held) return core::Error(core::Code::not_found, "there is no Patient of that id here");
  const std::string what = disagreement(person_of(facts), held->body);
  if (!what.empty())
    return core::Error(core::Code::invalid, core::cat(what, " differ from the Patient's"));
  return StudyIdentity{"linked", "", patient, ""};
}

Json provisional_patient(const std::string& id, const InstanceFacts& facts,
                         std::string_view default_system) {
  Json patient = Json::object({{"resourceType", "Patient"}, {"id", id}});
  patient.set("identifier",
              Json::array({Json::object(
                  {{"system", patient_id_system(facts.patient_id_issuer, default_system)},
                   {"value", facts.patient_id}})}));
  if (Json name = fhir::human_name_from_pn(facts.patient_name); !name.is_null())
    patient.set("name", Json::array({name}));
  if (const auto gender = fhir::gender_from_sex(facts.sex); !gender.empty())
    patient.set("gender", gender);
  if (const auto born = core::to_fhir_date(facts.birth_date); !born.empty())
    patient.set("birthDate", born);
  return patient;
}

}  // namespace gateway::sync
