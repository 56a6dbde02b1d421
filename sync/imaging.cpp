#include "sync/imaging.h"

#include <algorithm>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/stable_id.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr std::string_view kDicomTerminology = "http://dicom.nema.org/resources/ontology/DCM";
constexpr std::string_view kUris = "urn:ietf:rfc:3986";

/// An IS value as FHIR unsignedInt; null when it is not one.
Json whole_number(std::string_view text) {
  text = core::trim(text);
  const bool digits =
      !text.empty() && text.size() < 10 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return {};
  return Json(static_cast<std::int64_t>(std::stoll(std::string(text))));
}

void set_if(Json& object, std::string_view name, Json value) {
  if (value.is_null() || (value.is_string() && value.text().empty())) return;
  object.set(name, std::move(value));
}

Json subject_of(std::string_view identity, std::string_view patient) {
  if (!patient.empty()) return Json::object({{"reference", core::cat("Patient/", patient)}});
  if (identity == "unassigned")
    return Json::object({{"display", "Unassigned: the images carry no patient id"}});
  return Json::object({{"display", "Unassigned: the patient's identity waits for a person"}});
}

Json uid_identifier(std::string_view uid) {
  return Json::object({{"system", "urn:dicom:uid"}, {"value", core::cat("urn:oid:", uid)}});
}

Json identifiers_of(std::string_view study_uid, std::string_view accession) {
  Json identifiers = Json::array({uid_identifier(study_uid)});
  if (!accession.empty()) {
    const Json type = Json::object(
        {{"coding",
          Json::array({Json::object(
              {{"system", "http://terminology.hl7.org/CodeSystem/v2-0203"}, {"code", "ACSN"}})})}});
    identifiers.add(Json::object({{"type", type}, {"value", accession}}));
  }
  return identifiers;
}

core::Result<Json> instances_of(Connection& connection, std::string_view study_uid,
                                std::string_view series_uid) {
  GW_TRY(
      auto rows,
      connection.query("SELECT sop_instance_uid, sop_class_uid, instance_number FROM dicom_instance"
                       " WHERE study_uid = ? AND series_uid = ? AND copy = 0 AND rejection = 0"
                       " ORDER BY row",
                       study_uid, series_uid));
  Json instances = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return instances;
    Json instance = Json::object(
        {{"uid", rows.text(0)},
         {"sopClass",
          Json::object({{"system", kUris}, {"code", core::cat("urn:oid:", rows.text(1))}})}});
    set_if(instance, "number", whole_number(rows.text(2)));
    instances.add(std::move(instance));
  }
}

struct SeriesRow {
  std::string uid, modality, number, description, body_part, date, time;
};

core::Result<std::vector<SeriesRow>> series_rows(Connection& connection,
                                                 std::string_view study_uid) {
  GW_TRY(auto rows,
         connection.query(
             "SELECT series_uid, modality, number, description, body_part, series_date, series_time"
             " FROM dicom_series WHERE study_uid = ? ORDER BY series_uid",
             study_uid));
  std::vector<SeriesRow> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    const auto text = [&](int column) { return std::string(rows.text(column)); };
    list.push_back({text(0), text(1), text(2), text(3), text(4), text(5), text(6)});
  }
}

Json modality_coding(std::string_view modality) {
  return Json::object({{"system", kDicomTerminology},
                       {"code", modality.empty() ? std::string_view("OT") : modality}});
}

core::Result<Json> series_element(Connection& connection, std::string_view study_uid,
                                  const SeriesRow& row, std::string_view zone) {
  GW_TRY(Json instances, instances_of(connection, study_uid, row.uid));
  Json series = Json::object({{"uid", row.uid}});
  set_if(series, "number", whole_number(row.number));
  series.set("modality", modality_coding(row.modality));
  set_if(series, "description", row.description);
  series.set("numberOfInstances", static_cast<std::int64_t>(instances.size()));
  if (!row.body_part.empty()) series.set("bodySite", Json::object({{"display", row.body_part}}));
  set_if(series, "started", core::to_fhir_date_time(row.date, row.time, zone));
  series.set("instance", std::move(instances));
  return series;
}

struct StudyRow {
  std::string uid, identity, patient, service_request, accession, date, time, description,
      referring;
};

core::Result<StudyRow> study_row(Connection& connection, const std::string& imaging_study_id) {
  GW_TRY(auto rows,
         connection.query(
             "SELECT study_uid, identity, patient, service_request, accession_number, study_date, "
             "study_time,"
             " description, referring_physician FROM dicom_study WHERE imaging_study_id = ?",
             imaging_study_id));
  GW_TRY(const bool found, rows.next());
  if (!found)
    return core::Error(core::Code::not_found,
                       core::cat("no study is held for ImagingStudy/", imaging_study_id));
  const auto text = [&](int column) { return std::string(rows.text(column)); };
  return StudyRow{text(0), text(1), text(2), text(3), text(4), text(5), text(6), text(7), text(8)};
}

}  // namespace

std::string imaging_study_id_of(std::string_view study_uid) {
  return stable_id(core::cat("clinic-gateway ImagingStudy ", study_uid));
}

core::Result<Json> imaging_study_resource(Connection& connection,
                                          const std::string& imaging_study_id,
                                          std::string_view zone) {
  GW_TRY(const StudyRow study, study_row(connection, imaging_study_id));
  GW_TRY(const auto rows, series_rows(connection, study.uid));

  Json series = Json::array();
  Json modalities = Json::array();
  std::vector<std::string> seen;
  std::int64_t instances = 0;
  for (const SeriesRow& row : rows) {
    GW_TRY(Json element, series_element(connection, study.uid, row, zone));
    if (element["instance"].size() == 0) continue;  // all of it was withdrawn
    instances += static_cast<std::int64_t>(element["instance"].size());
    series.add(std::move(element));
    if (std::find(seen.begin(), seen.end(), row.modality) == seen.end()) {
      seen.push_back(row.modality);
      modalities.add(modality_coding(row.modality));
    }
  }

  Json resource = Json::object({{"resourceType", "ImagingStudy"}, {"id", imaging_study_id}});
  resource.set("identifier", identifiers_of(study.uid, study.accession));
  resource.set("status", instances > 0 ? "available" : "entered-in-error");
  if (modalities.size() > 0) resource.set("modality", std::move(modalities));
  resource.set("subject", subject_of(study.identity, study.patient));
  set_if(resource, "started", core::to_fhir_date_time(study.date, study.time, zone));
  if (!study.service_request.empty()) {
    resource.set("basedOn",
                 Json::array({Json::object(
                     {{"reference", core::cat("ServiceRequest/", study.service_request)}})}));
  }
  GW_TRY(const auto step,
         connection.text("SELECT sop_instance_uid FROM performed_step WHERE study_uid = ?"
                         " AND wrong_entry = 0 ORDER BY created_at, sop_instance_uid LIMIT 1",
                         study.uid));
  if (step) {
    // By identifier: the hospital may get the Procedure later.
    resource.set("procedureReference",
                 Json::object({{"type", "Procedure"}, {"identifier", uid_identifier(*step)}}));
  }
  if (!study.referring.empty())
    resource.set("referrer", Json::object({{"display", study.referring}}));
  resource.set("numberOfSeries", static_cast<std::int64_t>(series.size()));
  resource.set("numberOfInstances", instances);
  set_if(resource, "description", study.description);
  if (series.size() > 0) resource.set("series", std::move(series));
  return resource;
}

}  // namespace gateway::sync
