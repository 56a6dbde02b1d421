#include "adapters/dicom/archive_identifier.h"

#include <dcmtk/dcmdata/dctk.h>

#include <array>
#include <utility>

namespace gateway::adapters::dicom {
namespace {

constexpr std::array<std::pair<QueryLevel, std::string_view>, 4> kLevels = {
    {{QueryLevel::patient, "PATIENT"},
     {QueryLevel::study, "STUDY"},
     {QueryLevel::series, "SERIES"},
     {QueryLevel::image, "IMAGE"}}};

void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  if (value.empty())
    (void)item.insertEmptyElement(tag);
  else
    (void)item.putAndInsertOFStringArray(tag, value.c_str());
}

void put(DcmItem& item, const DcmTagKey& tag, std::int64_t value) {
  put(item, tag, std::to_string(value));
}

}  // namespace

std::optional<QueryLevel> query_level(std::string_view text) {
  for (const auto& [level, name] : kLevels) {
    if (name == text) return level;
  }
  return std::nullopt;
}

std::string_view to_string(QueryLevel level) {
  return kLevels[static_cast<std::size_t>(level)].second;
}

void put_patient(DcmItem& identifier, const sync::ShownPatient& patient) {
  put(identifier, DCM_PatientName, patient.name);
  put(identifier, DCM_PatientID, patient.id);
  put(identifier, DCM_PatientBirthDate, patient.birth_date);
  put(identifier, DCM_PatientSex, patient.sex);
}

void put_study(DcmItem& identifier, const sync::ArchiveStudy& study) {
  put_patient(identifier, study.patient);
  put(identifier, DCM_StudyInstanceUID, study.study_uid);
  put(identifier, DCM_StudyID, study.study_id);
  put(identifier, DCM_StudyDate, study.study_date);
  put(identifier, DCM_StudyTime, study.study_time);
  put(identifier, DCM_AccessionNumber, study.accession_number);
  put(identifier, DCM_StudyDescription, study.description);
  put(identifier, DCM_ReferringPhysicianName, study.referring_physician);
  put(identifier, DCM_ModalitiesInStudy, study.modalities);
  put(identifier, DCM_SOPClassesInStudy, study.sop_classes);
  put(identifier, DCM_NumberOfStudyRelatedSeries, study.series);
  put(identifier, DCM_NumberOfStudyRelatedInstances, study.instances);
}

void put_series(DcmItem& identifier, const sync::ArchiveSeries& series) {
  put(identifier, DCM_SeriesInstanceUID, series.series_uid);
  put(identifier, DCM_Modality, series.modality);
  put(identifier, DCM_SeriesNumber, series.number);
  put(identifier, DCM_SeriesDescription, series.description);
  put(identifier, DCM_BodyPartExamined, series.body_part);
  put(identifier, DCM_SeriesDate, series.series_date);
  put(identifier, DCM_SeriesTime, series.series_time);
  put(identifier, DCM_NumberOfSeriesRelatedInstances, series.instances);
}

void put_instance(DcmItem& identifier, const sync::ArchiveInstance& instance) {
  put(identifier, DCM_SOPInstanceUID, instance.sop_instance_uid);
  put(identifier, DCM_SOPClassUID, instance.sop_class_uid);
  put(identifier, DCM_InstanceNumber, instance.instance_number);
  put(identifier, DCM_NumberOfFrames, instance.number_of_frames);
  put(identifier, DCM_AvailableTransferSyntaxUID, instance.transfer_syntax_uid);
}

void put_availability(DcmItem& identifier, std::int64_t held, std::int64_t all) {
  put(identifier, DCM_InstanceAvailability, held == all ? "ONLINE" : "UNAVAILABLE");
}

}  // namespace gateway::adapters::dicom
