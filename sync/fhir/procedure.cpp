#include "sync/fhir/procedure.h"

#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::sync::fhir {
namespace {

using core::Json;

std::string_view status_of(std::string_view step_status) {
  if (step_status == "COMPLETED") return "completed";
  // What was done before it stopped was done: "not-done" would be wrong.
  return step_status == "DISCONTINUED" ? "stopped" : "in-progress";
}

std::string_view system_of(std::string_view scheme) {
  if (scheme == "DCM") return "http://dicom.nema.org/resources/ontology/DCM";
  if (scheme == "SCT") return "http://snomed.info/sct";
  if (scheme == "LN") return "http://loinc.org";
  return {};  // a local scheme's designator is no URI
}

/// Null when the code says nothing at all.
Json concept_of(const Json& code) {
  Json coding = Json::object();
  if (const auto system = system_of(code["scheme"].text()); !system.empty())
    coding.set("system", system);
  if (!code["value"].text().empty()) coding.set("code", code["value"]);
  if (!code["meaning"].text().empty()) coding.set("display", code["meaning"]);
  if (coding.size() == 0) return {};
  return Json::object({{"coding", Json::array({coding})}});
}

Json subject_of(const std::string& patient) {
  if (patient.empty())
    return Json::object({{"display", "Unassigned: the patient's identity waits for a person"}});
  return Json::object({{"reference", core::cat("Patient/", patient)}});
}

Json code_of(const Json& step) {
  Json code = concept_of(step["code"]);
  if (code.is_null()) code = Json::object();
  if (!step["description"].text().empty()) code.set("text", step["description"]);
  if (code.size() == 0) code.set("text", core::cat("Imaging, ", step["modality"].text()));
  return code;
}

Json period_of(const Json& step, std::string_view zone) {
  Json period = Json::object();
  const auto instant = [&](std::string_view date, std::string_view time) {
    return core::to_fhir_date_time(step[date].text(), step[time].text(), zone);
  };
  if (auto start = instant("startDate", "startTime"); !start.empty()) period.set("start", start);
  if (auto end = instant("endDate", "endTime"); !end.empty()) period.set("end", end);
  return period;
}

std::string dose_text(const Json& dose) {
  std::string text;
  const auto add = [&](std::string_view what, const Json& value, std::string_view unit) {
    if (value.text().empty()) return;
    text += core::cat(text.empty() ? "" : ", ", what, " ", value.text(), unit);
  };
  add("dose area product", dose["areaProduct"], " dGy.cm2");
  add("exposures", dose["exposures"], "");
  add("fluoroscopy", dose["fluoroscopySeconds"], " s");
  return text;
}

Json identifier(std::string_view uid) {
  return Json::object({{"system", "urn:dicom:uid"}, {"value", core::cat("urn:oid:", uid)}});
}

}  // namespace

Json procedure_of_step(const Json& step, const ProcedureLinks& links, std::string_view zone) {
  Json procedure = Json::object({{"resourceType", "Procedure"}, {"id", links.id}});
  procedure.set("identifier", Json::array({identifier(links.sop_instance_uid)}));
  Json based_on = Json::array();
  for (const std::string& order : links.service_requests)
    based_on.add(Json::object({{"reference", core::cat("ServiceRequest/", order)}}));
  if (based_on.size() > 0) procedure.set("basedOn", std::move(based_on));
  procedure.set("status", status_of(step["status"].text()));
  if (Json reason = concept_of(step["reason"]); !reason.is_null())
    procedure.set("statusReason", std::move(reason));
  procedure.set("code", code_of(step));
  procedure.set("subject", subject_of(links.patient));
  if (Json period = period_of(step, zone); period.size() > 0)
    procedure.set("performedPeriod", std::move(period));
  if (const std::string dose = dose_text(step["dose"]); !dose.empty())
    procedure.set("note", Json::array({Json::object({{"text", core::cat("Dose: ", dose)}})}));
  return procedure;
}

}  // namespace gateway::sync::fhir
