// PID to Patient (v2-to-FHIR IG, PID[Patient]); who it is, is decided in sync.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/patient_parts.h"
#include "core/civil_time.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

constexpr std::string_view kBirthTime = "http://hl7.org/fhir/StructureDefinition/patient-birthTime";

/// Numbers that name an account or a visit, not a person.
bool names_a_patient(std::string_view type) {
  constexpr std::array<std::string_view, 3> kOthers{"AN", "VN", "ACSN"};
  return std::find(kOthers.begin(), kOthers.end(), type) == kOthers.end();
}

std::string today(const Mapping& mapping) {
  return utc_instant(mapping, mapping.message().header().field(7)).substr(0, 10);
}

/// Over before the message was sent; a time that is told as a year or a month is over with its end.
bool is_over(std::string_view end, std::string_view today) {
  const std::string_view day = end.substr(0, 10);
  return !day.empty() && !today.empty() && day < today.substr(0, day.size());
}

/// Ids that count for recognising the patient: with an issuer, in their time.
std::vector<sync::PatientId> patient_ids(Mapping& mapping, const Piece& field, Json& identifiers) {
  std::vector<sync::PatientId> ids;
  const std::string now = today(mapping);
  for (std::size_t i = 0; i < field.repetitions(); ++i) {
    const Piece one = field.repetition(i);
    Json identifier = cx_identifier(mapping, one);
    if (identifier.is_null()) continue;
    const bool is_past = is_over(identifier["period"]["end"].text(), now);
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

/// A name whose time is over is an old one, where there is another; what somebody is called by
/// (XPN-15) is one more.
Json names_of(Mapping& mapping, const Segment& pid) {
  Json names = Json::array();
  Json former = Json::array();
  Json called = Json::array();
  const std::string now = today(mapping);
  for (std::size_t i = 0; i < pid.field(5).repetitions(); ++i) {
    const Piece one = pid.field(5).repetition(i);
    Json name = human_name(mapping, one);
    if (name.is_null()) continue;
    const bool is_former = is_over(name["period"]["end"].text(), now);
    (is_former ? former : names).add(std::move(name));
    if (const std::string word = one.component(15).text(); !word.empty())
      called.add(Json::object({{"use", "nickname"}, {"given", Json::array({word})}}));
  }
  if (names.size() == 0) std::swap(names, former);
  for (const Json& name : called.items()) names.add(name);
  for (Json name : former.items()) {
    name.set("use", "old");
    names.add(std::move(name));
  }
  return names;
}

/// PID-7, to the minute where it is told so: how many hours a newborn is old decides on its care.
/// Midnight is what senders write who know the day alone.
void set_birth(Mapping& mapping, const Segment& pid, sync::Draft& draft) {
  const FhirTime born = fhir_time(mapping, pid.field(7));
  const std::string day = born.text.substr(0, 10);
  set_if(draft.body, "birthDate", day);
  const bool is_timed = born.text.size() > 10 && born.text.substr(11, 8) != "00:00:00";
  if (is_timed) {
    Json extension = Json::object({{"url", kBirthTime}});
    set_time(extension, "valueDateTime", born);
    draft.body.set("_birthDate", Json::object({{"extension", Json::array({extension})}}));
  } else if (!day.empty()) {
    draft.erased.emplace_back("_birthDate");  // of another day, perhaps
  }
}

/// PID-25, which of them it is, else PID-24; the first of one (N, 1) is no multiple birth. Only one
/// of the two elements may stand there.
void set_multiple_birth(const Segment& pid, sync::Draft& draft) {
  const std::int64_t place = whole_number(pid.field(25).first());
  const std::optional<bool> is_multiple = yes_or_no(pid.field(24));
  if (place > 1 || (place == 1 && is_multiple.value_or(true))) {
    draft.body.set("multipleBirthInteger", place);
    draft.erased.emplace_back("multipleBirthBoolean");
  } else if (is_multiple) {
    draft.body.set("multipleBirthBoolean", *is_multiple);
    draft.erased.emplace_back("multipleBirthInteger");
  }
}

void set_death(const Mapping& mapping, const Segment& pid, Json& body) {
  const FhirTime at = fhir_time(mapping, pid.field(29));
  const std::optional<bool> is_dead = yes_or_no(pid.field(30));
  if (!at.text.empty()) {
    set_time(body, "deceasedDateTime", at);
  } else if (is_dead) {
    body.set("deceasedBoolean", *is_dead);
  }
}

/// `""` deletes; a field that is merely empty says nothing.
void set_erased(const Segment& pid, sync::Draft& draft) {
  constexpr std::array<std::pair<std::size_t, const char*>, 13> kElements{
      {{7, "birthDate"},
       {7, "_birthDate"},
       {24, "multipleBirthBoolean"},
       {25, "multipleBirthInteger"},
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
  set_if(body, "name", names_of(mapping, *pid));
  set_if(body, "telecom", patient_telecoms(mapping, *pid));
  set_if(body, "gender", gender_of(mapping, pid->field(8)));
  set_birth(mapping, *pid, patient.draft);
  set_death(mapping, *pid, body);
  set_if(body, "address", patient_addresses(mapping, *pid));
  set_if(body, "maritalStatus", mapped_concept(mapping, pid->field(16), "0002", kMaritalStatus));
  set_multiple_birth(*pid, patient.draft);
  set_if(body, "contact", patient_contacts(mapping));
  if (Json language = patient_language(mapping, *pid); !language.is_null())
    body.set("communication", Json::array({Json::object({{"language", language}})}));
  set_if(body, "generalPractitioner", general_practitioners(mapping));
  set_erased(*pid, patient.draft);
  patient.facts.name = sync::fhir::pn_from_human_names(body["name"]);
  patient.facts.birth_date = core::to_dicom_date(body["birthDate"].text());
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
