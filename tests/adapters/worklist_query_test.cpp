#include "adapters/dicom/worklist_query.h"

#include <gtest/gtest.h>

#include "tests/adapters/data_sets.h"

namespace gateway::adapters::dicom {
namespace {

sync::WorklistStep chest_step() {
  sync::WorklistStep step;
  step.step_id = "SPS1";
  step.study_instance_uid = "1.2.3";
  step.accession_number = "A100";
  step.requested_procedure_id = "RP1";
  step.procedure_code = "399208008";
  step.procedure_scheme = "SCT";
  step.procedure_meaning = "Chest X-ray";
  step.procedure_description = "Chest X-ray";
  step.priority = "ROUTINE";
  step.modality = "DX";
  step.station_ae_title = "DX1";
  step.start_date = "20260305";
  step.start_time = "093000";
  step.patient_name = "Müller^Jörg";
  step.patient_id = "P7";
  step.birth_date = "19700101";
  step.sex = "M";
  return step;
}

class WorklistQueryTest : public ::testing::Test {
 protected:
  DcmItem& step_keys() {
    DcmItem* item = nullptr;
    EXPECT_TRUE(keys.findOrCreateSequenceItem(DCM_ScheduledProcedureStepSequence, item, 0).good());
    return *item;
  }
  WorklistQuery query() {
    auto parsed =
        WorklistQuery::parse(encode(keys, EXS_LittleEndianImplicit), EXS_LittleEndianImplicit);
    EXPECT_TRUE(parsed.ok());
    return std::move(parsed).value();
  }
  WorklistQuery::Answer answer() { return query().answer(chest_step()); }
  bool match() { return answer().identifier != nullptr; }

  static std::string text(DcmItem& item, const DcmTagKey& tag) {
    OFString value;
    return item.findAndGetOFStringArray(tag, value).good() ? value.c_str() : "<absent>";
  }

  DcmDataset keys;
};

TEST_F(WorklistQueryTest, UniversalMatchingFindsEverything) {
  put(keys, DCM_PatientName, "");
  put(step_keys(), DCM_Modality, "");
  EXPECT_TRUE(match());
}

TEST_F(WorklistQueryTest, EveryKeyMustMatch) {
  put(keys, DCM_PatientName, "muller*");
  put(step_keys(), DCM_Modality, "DX");
  put(step_keys(), DCM_ScheduledStationAETitle, "DX1");
  put(step_keys(), DCM_ScheduledProcedureStepStartDate, "20260301-20260331");
  EXPECT_TRUE(match());
  put(step_keys(), DCM_Modality, "CT");
  EXPECT_FALSE(match());
}

TEST_F(WorklistQueryTest, DateAndTimeRangesAreOneSpan) {
  put(step_keys(), DCM_ScheduledProcedureStepStartDate, "20260304-20260305");
  put(step_keys(), DCM_ScheduledProcedureStepStartTime, "1800-1000");
  EXPECT_TRUE(match());
  put(step_keys(), DCM_ScheduledProcedureStepStartTime, "1800-0900");
  EXPECT_FALSE(match());
}

TEST_F(WorklistQueryTest, AnswersOnlyWhatWasAskedFor) {
  put(keys, DCM_PatientID, "");
  put(keys, DCM_StudyInstanceUID, "");
  put(step_keys(), DCM_ScheduledProcedureStepID, "");
  auto answered = answer();
  ASSERT_TRUE(answered.identifier);
  EXPECT_TRUE(answered.all_keys_supported);
  EXPECT_EQ(answered.identifier->card(), 3u);
  EXPECT_EQ(text(*answered.identifier, DCM_PatientID), "P7");
  EXPECT_EQ(text(*answered.identifier, DCM_StudyInstanceUID), "1.2.3");
  DcmItem* step = nullptr;
  ASSERT_TRUE(
      answered.identifier->findAndGetSequenceItem(DCM_ScheduledProcedureStepSequence, step, 0)
          .good());
  EXPECT_EQ(step->card(), 1u);
  EXPECT_EQ(text(*step, DCM_ScheduledProcedureStepID), "SPS1");
}

TEST_F(WorklistQueryTest, AnEmptySequenceKeyAsksForAllOfIt) {
  ASSERT_TRUE(keys.insertEmptyElement(DCM_RequestedProcedureCodeSequence).good());
  auto answered = answer();
  DcmItem* code = nullptr;
  ASSERT_TRUE(
      answered.identifier->findAndGetSequenceItem(DCM_RequestedProcedureCodeSequence, code, 0)
          .good());
  EXPECT_EQ(text(*code, DCM_CodeValue), "399208008");
  EXPECT_EQ(text(*code, DCM_CodeMeaning), "Chest X-ray");
}

TEST_F(WorklistQueryTest, AnUnknownOptionalKeyWarnsButHidesNothing) {
  put(keys, DCM_PatientID, "");
  put(keys, DCM_PatientComments, "anything");
  const auto answered = answer();
  ASSERT_TRUE(answered.identifier);
  EXPECT_FALSE(answered.all_keys_supported);
}

TEST_F(WorklistQueryTest, AnswersInTheCharacterSetOfTheQueryWhereTheTextFits) {
  put(keys, DCM_PatientName, "");
  auto in_utf8 = answer();
  EXPECT_EQ(text(*in_utf8.identifier, DCM_SpecificCharacterSet), "ISO_IR 192");
  EXPECT_EQ(text(*in_utf8.identifier, DCM_PatientName), "Müller^Jörg");

  put(keys, DCM_SpecificCharacterSet, "ISO_IR 100");
  auto in_latin1 = answer();
  EXPECT_EQ(text(*in_latin1.identifier, DCM_SpecificCharacterSet), "ISO_IR 100");
  EXPECT_EQ(text(*in_latin1.identifier, DCM_PatientName), "M\xfcller^J\xf6rg");

  put(keys, DCM_SpecificCharacterSet, "ISO_IR 144");
  auto not_cyrillic = answer();
  EXPECT_EQ(text(*not_cyrillic.identifier, DCM_SpecificCharacterSet), "ISO_IR 192");
  EXPECT_EQ(text(*not_cyrillic.identifier, DCM_PatientName), "Müller^Jörg");
}

TEST_F(WorklistQueryTest, AsciiAnswersNameNoCharacterSet) {
  put(keys, DCM_PatientID, "");
  put(keys, DCM_SpecificCharacterSet, "ISO_IR 100");
  EXPECT_EQ(text(*answer().identifier, DCM_SpecificCharacterSet), "<absent>");
}

TEST_F(WorklistQueryTest, KeysInAnotherCharacterSetMatch) {
  put(keys, DCM_SpecificCharacterSet, "ISO_IR 100");
  put(keys, DCM_PatientName, "M\xdcLLER*");
  EXPECT_TRUE(match());
}

TEST_F(WorklistQueryTest, SelectsByWhatAnIndexCanLookUp) {
  put(keys, DCM_PatientID, "P7");
  put(keys, DCM_AccessionNumber, "A1*");
  put(step_keys(), DCM_Modality, "DX");
  put(step_keys(), DCM_ScheduledStationAETitle, "");
  put(step_keys(), DCM_ScheduledProcedureStepStartDate, "20260301-");
  const auto selection = query().selection();
  EXPECT_EQ(selection.patient_id, "P7");
  EXPECT_EQ(selection.accession_number, "");
  EXPECT_EQ(selection.modality, "DX");
  EXPECT_EQ(selection.station_ae_title, "");
  EXPECT_EQ(selection.date_from, "20260301");
  EXPECT_EQ(selection.date_to, "");
}

TEST_F(WorklistQueryTest, GarbageIsAnErrorNotACrash) {
  for (std::size_t size : {1u, 7u, 100u, 1'000u}) {
    const auto parsed = WorklistQuery::parse(std::string(size, '\xee'), EXS_LittleEndianExplicit);
    if (parsed.ok()) (void)parsed.value().answer(chest_step());
  }
}

TEST(WorklistIdentifier, HoldsEveryTypeOneAndTwoAttribute) {
  const auto identifier = worklist_identifier(chest_step());
  for (const DcmTagKey& tag : {DCM_AccessionNumber,
                               DCM_ReferringPhysicianName,
                               DCM_PatientName,
                               DCM_PatientID,
                               DCM_PatientBirthDate,
                               DCM_PatientSex,
                               DCM_PatientWeight,
                               DCM_MedicalAlerts,
                               DCM_Allergies,
                               DCM_PregnancyStatus,
                               DCM_StudyInstanceUID,
                               DCM_RequestingPhysician,
                               DCM_RequestedProcedureDescription,
                               DCM_AdmissionID,
                               DCM_SpecialNeeds,
                               DCM_CurrentPatientLocation,
                               DCM_PatientState,
                               DCM_RequestedProcedureID,
                               DCM_RequestedProcedurePriority,
                               DCM_PatientTransportArrangements,
                               DCM_ReferencedStudySequence,
                               DCM_ReferencedPatientSequence,
                               DCM_ConfidentialityConstraintOnPatientDataDescription,
                               DCM_RequestedProcedureCodeSequence,
                               DCM_ScheduledProcedureStepSequence}) {
    EXPECT_TRUE(identifier->tagExists(tag)) << tag.toString();
  }
}

}  // namespace
}  // namespace gateway::adapters::dicom
