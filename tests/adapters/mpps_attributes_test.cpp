// Reading of performed procedure step messages, sloppy ones too.
#include "adapters/dicom/mpps_attributes.h"

#include "tests/adapters/data_sets.h"

namespace gateway::adapters::dicom {
namespace {

DcmItem& item_of(DcmItem& parent, const DcmTagKey& sequence, long number = 0) {
  DcmItem* item = nullptr;
  EXPECT_TRUE(parent.findOrCreateSequenceItem(sequence, item, number).good());
  return *item;
}

TEST(MppsAttributes, ReadsACreationWholly) {
  DcmDataset data_set;
  put(data_set, DCM_PerformedProcedureStepStatus, "IN PROGRESS");
  put(data_set, DCM_PerformedProcedureStepID, "PPS1");
  put(data_set, DCM_PerformedStationAETitle, "CT1");
  put(data_set, DCM_PerformedProcedureStepStartDate, "20260301");
  put(data_set, DCM_PerformedProcedureStepStartTime, "103000");
  put(data_set, DCM_Modality, "CT");
  put(data_set, DCM_PatientID, "P1");
  DcmItem& scheduled = item_of(data_set, DCM_ScheduledStepAttributesSequence);
  put(scheduled, DCM_StudyInstanceUID, "1.2.3");
  put(scheduled, DCM_AccessionNumber, "A1");
  const StepAttributes read = read_step_attributes(data_set, true);
  EXPECT_EQ(read.members["status"].text(), "IN PROGRESS");
  EXPECT_EQ(read.members["scheduled"][0]["studyUid"].text(), "1.2.3");
  EXPECT_EQ(read.members["scheduled"][0]["accession"].text(), "A1");
  EXPECT_TRUE(read.members["series"].is_null());
  EXPECT_EQ(read.remarks, "");
}

TEST(MppsAttributes, RemarksOnWhatIsMissing) {
  DcmDataset data_set;
  put(data_set, DCM_PerformedProcedureStepStatus, "COMPLETED");
  put(data_set, DCM_PatientID, "P1");
  const StepAttributes read = read_step_attributes(data_set, true);
  EXPECT_NE(read.remarks.find("start date"), std::string::npos);
  EXPECT_NE(read.remarks.find("end date"), std::string::npos);
  EXPECT_NE(read.remarks.find("created as COMPLETED"), std::string::npos);
  EXPECT_EQ(read.remarks.find("P1"), std::string::npos);
}

TEST(MppsAttributes, ListsImagesAndOtherObjectsOfASeries) {
  DcmDataset data_set;
  put(data_set, DCM_PerformedProcedureStepStatus, "COMPLETED");
  DcmItem& series = item_of(data_set, DCM_PerformedSeriesSequence);
  put(series, DCM_SeriesInstanceUID, "1.2.3");
  put(item_of(series, DCM_ReferencedImageSequence), DCM_ReferencedSOPInstanceUID, "1.2.3.1");
  put(item_of(series, DCM_ReferencedImageSequence, 1), DCM_ReferencedSOPInstanceUID, "1.2.3.2");
  put(item_of(series, DCM_ReferencedNonImageCompositeSOPInstanceSequence),
      DCM_ReferencedSOPInstanceUID, "1.2.3.3");
  DcmItem& reason = item_of(data_set, DCM_PerformedProcedureStepDiscontinuationReasonCodeSequence);
  put(reason, DCM_CodeValue, "110514");
  const StepAttributes read = read_step_attributes(data_set, false);
  const core::Json& instances = read.members["series"][0]["instances"];
  ASSERT_EQ(instances.size(), 3U);
  EXPECT_EQ(instances[2]["uid"].text(), "1.2.3.3");
  EXPECT_EQ(read.members["reason"]["value"].text(), "110514");
}

TEST(MppsAttributes, ReadsNamesInTheirOwnLetters) {
  DcmDataset data_set;
  put(data_set, DCM_SpecificCharacterSet, "ISO_IR 100");
  put(data_set, DCM_PatientName, "Mu\xf1oz^Jos\xe9");
  EXPECT_EQ(read_step_attributes(data_set, true).members["patientName"].text(),
            "Mu\xc3\xb1oz^Jos\xc3\xa9");
}

TEST(MppsAttributes, BytesInNoKnownLettersBecomeValidText) {
  DcmDataset data_set;
  put(data_set, DCM_SpecificCharacterSet, "ISO_IR 9999");
  put(data_set, DCM_PerformedProcedureStepDescription, "Kopf \xff\xfe");
  const auto text = std::string(read_step_attributes(data_set, true).members["description"].text());
  EXPECT_TRUE(text.starts_with("Kopf "));
  EXPECT_TRUE(core::Json::parse(core::Json(text).dump()).ok());
}

}  // namespace
}  // namespace gateway::adapters::dicom
