#include "adapters/profiles/message_parts.h"

#include "adapters/profiles/result_parts.h"
#include "core/civil_time.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"

namespace gateway::adapters::profiles {

using core::cat;
using core::Json;
using mapping::set_if;

std::string gender_of(std::string_view sent) {
  const std::string sex = core::to_lower_ascii(sent);
  if (sex == "m" || sex == "male") return "male";
  if (sex == "f" || sex == "female") return "female";
  return sex == "o" || sex == "other" ? "other" : "";
}

void tell_patient(const mapping::DeviceProfile& site, ToldPatient told,
                  sync::MessagePatient& patient) {
  patient.is_required = true;
  patient.is_told = true;
  Json body = Json::object({{"resourceType", "Patient"}});
  const std::string& issuer = site.patient_id_issuer;
  if (!told.id.empty() && !issuer.empty()) {
    patient.ids.push_back({issuer, told.id});
    body.set("identifier", Json::array({Json::object({{"system", issuer}, {"value", told.id}})}));
  }
  if (!told.name.is_null()) body.set("name", Json::array({told.name}));
  set_if(body, "gender", told.gender);
  set_if(body, "birthDate", told.born);
  patient.facts.name = sync::fhir::pn_from_human_names(body["name"]);
  patient.facts.birth_date = core::to_dicom_date(told.born);
  patient.facts.sex = sync::fhir::sex_from_gender(body["gender"].text());
  patient.draft.body = std::move(body);
}

std::string add_specimen(const mapping::DeviceProfile& site, const ToldSpecimen& told,
                         sync::IncomingMessage& out) {
  if (told.id.empty()) return {};
  const std::string& issuer = site.specimen_id_issuer;
  const std::string system = issuer.empty() ? own_system(site.name, "specimen") : issuer;
  sync::Draft draft;
  draft.body = Json::object({{"resourceType", "Specimen"}});
  draft.body.set("identifier",
                 Json::array({Json::object({{"system", system}, {"value", told.id}})}));
  if (!told.kind.empty()) draft.body.set("type", Json::object({{"text", told.kind}}));
  draft.body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  if (!told.collected.text.empty()) {
    Json collection = Json::object();
    mapping::set_time(collection, "collectedDateTime", told.collected);
    draft.body.set("collection", std::move(collection));
  }
  draft.known_as.push_back({system, told.id});
  draft.seed = cat("specimen|", told.id);
  if (!issuer.empty()) out.patient.carriers.push_back({issuer, told.id});
  return out.add(std::move(draft));
}

Json orders_of_specimen(const mapping::DeviceProfile& site, std::string_view specimen_id) {
  const std::string& issuer = site.specimen_id_issuer;
  if (issuer.empty() || specimen_id.empty()) return {};
  return Json::array(
      {Json::object({{"type", "ServiceRequest"},
                     {"identifier", Json::object({{"system", issuer}, {"value", specimen_id}})}})});
}

Json performer_of(std::string_view device, const std::string& operator_id) {
  if (operator_id.empty()) return {};
  return Json::array(
      {Json::object({{"type", "Practitioner"},
                     {"identifier", Json::object({{"system", own_system(device, "operator")},
                                                  {"value", operator_id}})},
                     {"display", operator_id}})});
}

std::string report_status(const sync::IncomingMessage& out, std::size_t first) {
  bool is_corrected = false;
  bool is_all_cancelled = true;
  for (std::size_t i = first; i < out.drafts.size(); ++i) {
    const std::string_view status = out.drafts[i].body["status"].text();
    if (status == "preliminary") return "preliminary";
    if (status == "registered") return "partial";
    is_corrected = is_corrected || status == "corrected";
    is_all_cancelled = is_all_cancelled && status == "cancelled";
  }
  if (is_all_cancelled) return "cancelled";
  return is_corrected ? "corrected" : "final";
}

}  // namespace gateway::adapters::profiles
