#include "adapters/dicom/mpps_attributes.h"

#include <algorithm>
#include <array>

#include "adapters/dicom/character_sets.h"
#include "adapters/dicom/command_data_set.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Json;

struct Attribute {
  DcmTagKey tag;
  const char* member;
};

const std::array kTexts = {
    Attribute{DCM_PerformedProcedureStepStatus, "status"},
    Attribute{DCM_PerformedProcedureStepID, "stepId"},
    Attribute{DCM_PerformedStationAETitle, "stationAeTitle"},
    Attribute{DCM_PerformedStationName, "stationName"},
    Attribute{DCM_PerformedLocation, "location"},
    Attribute{DCM_PerformedProcedureStepStartDate, "startDate"},
    Attribute{DCM_PerformedProcedureStepStartTime, "startTime"},
    Attribute{DCM_PerformedProcedureStepEndDate, "endDate"},
    Attribute{DCM_PerformedProcedureStepEndTime, "endTime"},
    Attribute{DCM_PerformedProcedureStepDescription, "description"},
    Attribute{DCM_Modality, "modality"},
    Attribute{DCM_StudyID, "studyId"},
    Attribute{DCM_PatientName, "patientName"},
    Attribute{DCM_PatientID, "patientId"},
    Attribute{DCM_IssuerOfPatientID, "patientIdIssuer"},
    Attribute{DCM_PatientBirthDate, "birthDate"},
    Attribute{DCM_PatientSex, "sex"},
};

const std::array kScheduled = {
    Attribute{DCM_StudyInstanceUID, "studyUid"},
    Attribute{DCM_AccessionNumber, "accession"},
    Attribute{DCM_RequestedProcedureID, "procedureId"},
    Attribute{DCM_ScheduledProcedureStepID, "stepId"},
};

const std::array kSeries = {
    Attribute{DCM_SeriesInstanceUID, "uid"},
    Attribute{DCM_ProtocolName, "protocol"},
    Attribute{DCM_SeriesDescription, "description"},
};

const std::array kInstance = {
    Attribute{DCM_ReferencedSOPClassUID, "class"},
    Attribute{DCM_ReferencedSOPInstanceUID, "uid"},
};

const std::array kCode = {
    Attribute{DCM_CodeValue, "value"},
    Attribute{DCM_CodingSchemeDesignator, "scheme"},
    Attribute{DCM_CodeMeaning, "meaning"},
};

// The last two are retired, and still what older modalities tell.
const std::array kDose = {
    Attribute{DCM_ImageAndFluoroscopyAreaDoseProduct, "areaProduct"},
    Attribute{DcmTagKey(0x0040, 0x0301), "exposures"},
    Attribute{DcmTagKey(0x0040, 0x0300), "fluoroscopySeconds"},
};

template <std::size_t Size>
Json texts_of(DcmItem& item, const std::array<Attribute, Size>& attributes) {
  Json members = Json::object();
  for (const Attribute& attribute : attributes) {
    // After an undecodable character set bytes may be left that are no UTF-8.
    if (const std::string value =
            decode_text(text_of(item, attribute.tag), "ISO_IR 192",
                        attribute.tag == DCM_PatientName ? TextKind::person_name : TextKind::text);
        !value.empty())
      members.append_member(attribute.member, value);
  }
  return members;
}

DcmSequenceOfItems* sequence_of(DcmItem& item, const DcmTagKey& tag) {
  DcmSequenceOfItems* sequence = nullptr;
  return item.findAndGetSequence(tag, sequence).good() ? sequence : nullptr;
}

/// Null when the sequence is not there; `read` makes an entry of each item.
template <class Read>
Json entries_of(DcmItem& item, const DcmTagKey& tag, const Read& read) {
  DcmSequenceOfItems* sequence = sequence_of(item, tag);
  if (sequence == nullptr) return {};
  Json entries = Json::array();
  for (unsigned long i = 0; i < sequence->card(); ++i) entries.add(read(*sequence->getItem(i)));
  return entries;
}

Json series_of(DcmItem& item) {
  Json series = texts_of(item, kSeries);
  Json instances = Json::array();
  // PS3.3 table C.4-15: images, and what is not an image, in two lists.
  for (const DcmTagKey& list :
       {DCM_ReferencedImageSequence, DCM_ReferencedNonImageCompositeSOPInstanceSequence}) {
    const Json entries =
        entries_of(item, list, [](DcmItem& instance) { return texts_of(instance, kInstance); });
    for (const Json& entry : entries.items()) instances.add(entry);
  }
  series.set("instances", std::move(instances));
  return series;
}

void set_code(Json& members, const char* member, DcmItem& item, const DcmTagKey& tag) {
  const Json codes = entries_of(item, tag, [](DcmItem& code) { return texts_of(code, kCode); });
  if (codes.size() > 0) members.set(member, codes[0]);
}

void remark(std::string& remarks, std::string_view what) {
  remarks += core::cat(remarks.empty() ? "without " : ", ", what);
}

// PS3.4 table F.7.2-1: what a creation must have, and the final state.
std::string missing(const Json& members, bool is_new) {
  std::string remarks;
  const auto demand = [&](const char* member, std::string_view name) {
    if (members[member].is_null()) remark(remarks, name);
  };
  if (is_new) {
    demand("status", "status");
    demand("stepId", "step id");
    demand("stationAeTitle", "station AE title");
    demand("startDate", "start date");
    demand("startTime", "start time");
    demand("modality", "modality");
    if (members["scheduled"].size() == 0) remark(remarks, "scheduled step attributes");
    if (members["scheduled"].size() > 0 && members["scheduled"][0]["studyUid"].text().empty())
      remark(remarks, "study instance UID");
  }
  const std::string_view status = members["status"].text();
  if (status == "COMPLETED" || status == "DISCONTINUED") {
    demand("endDate", "end date");
    demand("endTime", "end time");
    demand("series", "performed series");
  }
  if (is_new && !status.empty() && status != "IN PROGRESS")
    remarks += core::cat(remarks.empty() ? "" : "; ", "created as ", status);
  return remarks;
}

}  // namespace

StepAttributes read_step_attributes(DcmDataset& data_set, bool is_new) {
  (void)data_set.convertToUTF8();
  StepAttributes read;
  read.members = texts_of(data_set, kTexts);
  Json scheduled = entries_of(data_set, DCM_ScheduledStepAttributesSequence,
                              [](DcmItem& item) { return texts_of(item, kScheduled); });
  if (scheduled.size() > 0) read.members.set("scheduled", std::move(scheduled));
  Json series = entries_of(data_set, DCM_PerformedSeriesSequence, series_of);
  if (!series.is_null()) read.members.set("series", std::move(series));
  set_code(read.members, "code", data_set, DCM_ProcedureCodeSequence);
  set_code(read.members, "reason", data_set,
           DCM_PerformedProcedureStepDiscontinuationReasonCodeSequence);
  if (Json dose = texts_of(data_set, kDose); dose.size() > 0)
    read.members.set("dose", std::move(dose));
  read.remarks = missing(read.members, is_new);
  return read;
}

}  // namespace gateway::adapters::dicom
