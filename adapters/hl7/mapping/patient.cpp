// PID and NK1 to Patient (v2-to-FHIR IG, PID[Patient], NK1[Patient]); who it is, is decided in
// sync.
#include <algorithm>
#include <array>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/profiles/message_parts.h"
#include "core/civil_time.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

/// Numbers that name an account or a visit, not a person.
bool names_a_patient(std::string_view type) {
  constexpr std::array<std::string_view, 3> kOthers{"AN", "VN", "ACSN"};
  return std::find(kOthers.begin(), kOthers.end(), type) == kOthers.end();
}

std::string today(const Mapping& mapping) {
  return utc_instant(mapping, mapping.message().header().field(7)).substr(0, 10);
}

/// Ids that count for recognising the patient: with an issuer, in their time.
std::vector<sync::PatientId> patient_ids(Mapping& mapping, const Piece& field, Json& identifiers) {
  std::vector<sync::PatientId> ids;
  const std::string now = today(mapping);
  for (std::size_t i = 0; i < field.repetitions(); ++i) {
    const Piece one = field.repetition(i);
    Json identifier = cx_identifier(mapping, one);
    if (identifier.is_null()) continue;
    const std::string_view end = identifier["period"]["end"].text();
    const bool is_past = !end.empty() && !now.empty() && end.substr(0, 10) < now;
    if (is_past) identifier.set("use", "old");
    const std::string system(identifier["system"].text());
    if (!system.empty() && !is_past && names_a_patient(one.component(5).text()))
      ids.push_back({system, std::string(identifier["value"].text())});
    identifiers.add(std::move(identifier));
  }
  return ids;
}

/// The field in use since 2.3 (PID-3, MRG-1), else the one before it (PID-2, MRG-4).
Piece id_field(const Segment& segment, std::size_t number, std::size_t former) {
  for (std::size_t i = 0; i < segment.field(number).repetitions(); ++i) {
    if (!segment.field(number).repetition(i).component(1).text().empty())
      return segment.field(number);
  }
  return segment.field(former);
}

void set_death(const Mapping& mapping, const Segment& pid, Json& body) {
  const FhirTime at = fhir_time(mapping, pid.field(29));
  const std::string flag = pid.field(30).first();
  if (!at.text.empty()) {
    set_time(body, "deceasedDateTime", at);
  } else if (flag == "Y" || flag == "N") {
    body.set("deceasedBoolean", flag == "Y");
  }
}

/// Table 0001, in either case, or its words; anything else is counted.
std::string gender_of(Mapping& mapping, const Piece& field) {
  const std::string sent = field.first();
  std::string gender = code_of(kGender, to_upper_letter(sent));
  if (gender.empty()) gender = profiles::gender_of(sent);
  if (gender.empty() && !sent.empty()) mapping.gap("code", "HL70001", sent);
  return gender;
}

void set_contacts(Mapping& mapping, Json& body) {
  Json contacts = Json::array();
  for (const Segment& segment : mapping.message().segments()) {
    if (segment.name != "NK1") continue;
    Json contact = Json::object();
    if (Json kind = table_concept(mapping, segment.field(3), "0063"); !kind.is_null())
      contact.set("relationship", Json::array({kind}));
    set_if(contact, "name", human_name(segment.field(2).repetition(0)));
    set_if(contact, "telecom", each_repetition(segment.field(5), contact_point));
    set_if(contact, "address", address(segment.field(4).repetition(0)));
    set_if(contact, "gender", gender_of(mapping, segment.field(15)));
    if (contact.size() > 0) contacts.add(std::move(contact));
  }
  set_if(body, "contact", std::move(contacts));
}

Json telecoms(const Segment& pid) {
  Json all = Json::array();
  for (const auto& [number, use] : {std::pair{13U, "home"}, std::pair{14U, "work"}}) {
    const Json points = each_repetition(pid.field(number), contact_point);
    for (Json point : points.items()) {
      if (point["use"].is_null()) point.set("use", use);
      all.add(std::move(point));
    }
  }
  return all.size() == 0 ? Json() : all;
}

/// `""` deletes; a field that is merely empty says nothing.
void set_erased(const Segment& pid, sync::Draft& draft) {
  constexpr std::array<std::pair<std::size_t, const char*>, 10> kElements{
      {{7, "birthDate"},
       {29, "deceasedDateTime"},
       {29, "_deceasedDateTime"},
       {30, "deceasedDateTime"},
       {30, "deceasedBoolean"},
       {8, "gender"},
       {11, "address"},
       {13, "telecom"},
       {15, "communication"},
       {16, "maritalStatus"}}};
  for (const auto& [number, element] : kElements) {
    if (pid.field(number).is_null()) draft.erased.emplace_back(element);
  }
}

/// Patients are never merged by machine: the hospital is asked to.
void propose_merge(Mapping& mapping, const Piece& prior, const Piece& survivor) {
  Json inputs = Json::array();
  for (std::size_t i = 0; i < prior.repetitions(); ++i) {
    Json identifier = cx_identifier(mapping, prior.repetition(i));
    if (identifier.is_null()) continue;
    Json reference = Json::object({{"type", "Patient"}});
    reference.set("identifier", std::move(identifier));
    Json input = Json::object({{"type", Json::object({{"text", "patient to be merged"}})}});
    input.set("valueReference", std::move(reference));
    inputs.add(std::move(input));
  }
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Task"}, {"status", "requested"}, {"intent", "proposal"}});
  body.set("code", Json::object({{"text", "merge patients"}}));
  body.set("focus", Json::object({{"reference", sync::kPatientReference}}));
  body.set("for", Json::object({{"reference", sync::kPatientReference}}));
  set_if(body, "input", std::move(inputs));
  draft.seed = cat("merge|", prior.raw(), "|", survivor.raw());
  mapping.add(std::move(draft));
}

}  // namespace

Piece patient_id_field(const Segment& pid) { return id_field(pid, 3, 2); }

void map_patient(Mapping& mapping) {
  sync::MessagePatient& patient = mapping.out().patient;
  const Segment* pid = mapping.message().find("PID");
  if (pid == nullptr) return;
  patient.is_told = true;
  Json& body = patient.draft.body;
  body = Json::object({{"resourceType", "Patient"}});
  Json identifiers = Json::array();
  patient.ids = patient_ids(mapping, patient_id_field(*pid), identifiers);
  set_if(body, "identifier", std::move(identifiers));
  set_if(body, "name", each_repetition(pid->field(5), human_name));
  set_if(body, "telecom", telecoms(*pid));
  set_if(body, "gender", gender_of(mapping, pid->field(8)));
  const std::string born = fhir_time(mapping, pid->field(7)).text.substr(0, 10);
  set_if(body, "birthDate", born);
  set_death(mapping, *pid, body);
  set_if(body, "address", each_repetition(pid->field(11), address));
  set_if(body, "maritalStatus", table_concept(mapping, pid->field(16), "0002"));
  if (const std::string flag = pid->field(24).first(); flag == "Y" || flag == "N")
    body.set("multipleBirthBoolean", flag == "Y");
  set_contacts(mapping, body);
  if (Json language = codeable_concept(mapping, pid->field(15)); !language.is_null())
    body.set("communication", Json::array({Json::object({{"language", language}})}));
  set_erased(*pid, patient.draft);
  patient.facts.name = sync::fhir::pn_from_human_names(body["name"]);
  patient.facts.birth_date = core::to_dicom_date(born);
  patient.facts.sex = sync::fhir::sex_from_gender(body["gender"].text());
}

void map_merge(Mapping& mapping) {
  const Segment* pid = mapping.message().find("PID");
  bool any = false;
  for (const Segment& segment : mapping.message().segments()) {
    if (segment.name != "MRG") continue;
    const Piece prior = id_field(segment, 1, 4);
    if (!prior.has_value()) continue;
    any = true;
    propose_merge(mapping, prior, pid == nullptr ? Piece() : patient_id_field(*pid));
  }
  if (!any) mapping.out().dead_because = "a merge (A40) without MRG-1";
}

}  // namespace gateway::adapters::hl7
