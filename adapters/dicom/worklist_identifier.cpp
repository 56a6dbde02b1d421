#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <array>
#include <string_view>

#include "adapters/dicom/worklist_query.h"

namespace gateway::adapters::dicom {
namespace {

using sync::WorklistStep;

struct Attribute {
  DcmTagKey tag;
  std::string WorklistStep::*text;  // null: always empty
};

// Table K.6-1, per sequence level. Type 2 attributes the gateway knows nothing of are there, empty.
const std::array kPatientAndRequest = {
    Attribute{DCM_AccessionNumber, &WorklistStep::accession_number},
    Attribute{DCM_ReferringPhysicianName, &WorklistStep::referring_physician},
    Attribute{DCM_PatientName, &WorklistStep::patient_name},
    Attribute{DCM_PatientID, &WorklistStep::patient_id},
    Attribute{DCM_IssuerOfPatientID, &WorklistStep::patient_id_issuer},
    Attribute{DCM_PatientBirthDate, &WorklistStep::birth_date},
    Attribute{DCM_PatientSex, &WorklistStep::sex},
    Attribute{DCM_PatientWeight, nullptr},
    Attribute{DCM_MedicalAlerts, nullptr},
    Attribute{DCM_Allergies, nullptr},
    Attribute{DCM_PregnancyStatus, nullptr},
    Attribute{DCM_StudyInstanceUID, &WorklistStep::study_instance_uid},
    Attribute{DCM_RequestingPhysician, &WorklistStep::requesting_physician},
    Attribute{DCM_RequestedProcedureDescription, &WorklistStep::procedure_description},
    Attribute{DCM_AdmissionID, nullptr},
    Attribute{DCM_SpecialNeeds, nullptr},
    Attribute{DCM_CurrentPatientLocation, nullptr},
    Attribute{DCM_PatientState, nullptr},
    Attribute{DCM_RequestedProcedureID, &WorklistStep::requested_procedure_id},
    Attribute{DCM_RequestedProcedurePriority, &WorklistStep::priority},
    Attribute{DCM_PatientTransportArrangements, nullptr},
    Attribute{DCM_ConfidentialityConstraintOnPatientDataDescription, nullptr},
};

const std::array kStep = {
    Attribute{DCM_Modality, &WorklistStep::modality},
    Attribute{DCM_RequestedContrastAgent, nullptr},
    Attribute{DCM_ScheduledStationAETitle, &WorklistStep::station_ae_title},
    Attribute{DCM_ScheduledProcedureStepStartDate, &WorklistStep::start_date},
    Attribute{DCM_ScheduledProcedureStepStartTime, &WorklistStep::start_time},
    Attribute{DCM_ScheduledPerformingPhysicianName, &WorklistStep::performing_physician},
    Attribute{DCM_ScheduledProcedureStepDescription, &WorklistStep::procedure_description},
    Attribute{DCM_ScheduledProcedureStepID, &WorklistStep::step_id},
    Attribute{DCM_ScheduledStationName, &WorklistStep::station_name},
    Attribute{DCM_ScheduledProcedureStepLocation, &WorklistStep::location},
    Attribute{DCM_PreMedication, nullptr},
    Attribute{DCM_ScheduledProcedureStepStatus, &WorklistStep::status},
    Attribute{DCM_CommentsOnTheScheduledProcedureStep, &WorklistStep::comments},
};

template <std::size_t Size>
void put_all(DcmItem& item, const std::array<Attribute, Size>& attributes,
             const WorklistStep& step) {
  for (const Attribute& attribute : attributes) {
    if (attribute.text == nullptr || (step.*attribute.text).empty()) {
      (void)item.insertEmptyElement(attribute.tag);
    } else {
      (void)item.putAndInsertOFStringArray(attribute.tag, (step.*attribute.text).c_str());
    }
  }
}

void put_code(DcmItem& item, const DcmTagKey& sequence, const WorklistStep& step) {
  if (step.procedure_code.empty()) {
    (void)item.insertEmptyElement(sequence);
    return;
  }
  DcmItem* code = nullptr;
  if (item.findOrCreateSequenceItem(sequence, code, 0).bad()) return;
  (void)code->putAndInsertOFStringArray(DCM_CodeValue, step.procedure_code.c_str());
  (void)code->putAndInsertOFStringArray(DCM_CodingSchemeDesignator, step.procedure_scheme.c_str());
  (void)code->putAndInsertOFStringArray(DCM_CodeMeaning, step.procedure_meaning.c_str());
}

}  // namespace

std::unique_ptr<DcmDataset> worklist_identifier(const WorklistStep& step) {
  auto identifier = std::make_unique<DcmDataset>();
  put_all(*identifier, kPatientAndRequest, step);
  put_code(*identifier, DCM_RequestedProcedureCodeSequence, step);
  (void)identifier->insertEmptyElement(DCM_ReferencedStudySequence);
  (void)identifier->insertEmptyElement(DCM_ReferencedPatientSequence);
  DcmItem* scheduled = nullptr;
  if (identifier->findOrCreateSequenceItem(DCM_ScheduledProcedureStepSequence, scheduled, 0)
          .good()) {
    put_all(*scheduled, kStep, step);
    put_code(*scheduled, DCM_ScheduledProtocolCodeSequence, step);
  }
  return identifier;
}

}  // namespace gateway::adapters::dicom
