#include "adapters/dicom/instance_head.h"

#include <gtest/gtest.h>

#include "adapters/dicom/refusal.h"
#include "adapters/dicom/utf8.h"
#include "tests/adapters/data_sets.h"

namespace gateway::adapters::dicom {
namespace {

sync::InstanceFacts facts_of(DcmDataset& data_set, E_TransferSyntax syntax,
                             std::size_t cut = SIZE_MAX) {
  const std::string bytes = encode(data_set, syntax);
  InstanceHead head(DcmXfer(syntax).getXferID());
  for (std::size_t at = 0; at < bytes.size(); at += std::min(cut, bytes.size())) {
    head.feed(octets(std::string_view(bytes).substr(at, cut)));
  }
  return head.facts();
}

TEST(InstanceHead, ReadsEveryFact) {
  DcmDataset data_set;
  fill_ct(data_set, 3);
  put(data_set, DCM_IssuerOfPatientID, "CLINIC");
  put(data_set, DCM_StudyID, "S1");
  put(data_set, DCM_SeriesNumber, "2");
  put(data_set, DCM_SeriesDescription, "Thorax ");
  put(data_set, DCM_StudyDescription, "CT chest");
  put(data_set, DCM_ReferringPhysicianName, "Doe^John");
  put(data_set, DCM_BodyPartExamined, "CHEST");
  put(data_set, DCM_SeriesDate, "20260302");
  put(data_set, DCM_SeriesTime, "0916");
  put(data_set, DCM_NumberOfFrames, "4");
  for (const E_TransferSyntax syntax : {EXS_LittleEndianImplicit, EXS_LittleEndianExplicit,
                                        EXS_BigEndianExplicit, EXS_DeflatedLittleEndianExplicit}) {
    const auto facts = facts_of(data_set, syntax);
    EXPECT_EQ(facts.sop_class_uid, kCtImageStorage);
    EXPECT_EQ(facts.sop_instance_uid, "1.2.826.0.1.3680043.10.1.1.3");
    EXPECT_EQ(facts.study_instance_uid, "1.2.826.0.1.3680043.10.1");
    EXPECT_EQ(facts.series_instance_uid, "1.2.826.0.1.3680043.10.1.1");
    EXPECT_EQ(facts.transfer_syntax_uid, DcmXfer(syntax).getXferID());
    EXPECT_EQ(facts.patient_id, "P1");
    EXPECT_EQ(facts.patient_id_issuer, "CLINIC");
    EXPECT_EQ(facts.patient_name, "Roe^Jane");
    EXPECT_EQ(facts.birth_date, "19800102");
    EXPECT_EQ(facts.sex, "F");
    EXPECT_EQ(facts.accession_number, "A1");
    EXPECT_EQ(facts.study_id, "S1");
    EXPECT_EQ(facts.study_date, "20260301");
    EXPECT_EQ(facts.study_time, "091500");
    EXPECT_EQ(facts.study_description, "CT chest");
    EXPECT_EQ(facts.referring_physician, "Doe^John");
    EXPECT_EQ(facts.modality, "CT");
    EXPECT_EQ(facts.series_number, "2");
    EXPECT_EQ(facts.series_description, "Thorax");
    EXPECT_EQ(facts.body_part, "CHEST");
    EXPECT_EQ(facts.series_date, "20260302");
    EXPECT_EQ(facts.series_time, "0916");
    EXPECT_EQ(facts.instance_number, "3");
    EXPECT_EQ(facts.number_of_frames, "4");
  }
}

TEST(InstanceHead, InflatesInAnyCut) {
  DcmDataset data_set;
  fill_ct(data_set, 3, 20'000);
  for (const std::size_t cut : {2u, 16u, 100u, 1'000u}) {
    EXPECT_EQ(facts_of(data_set, EXS_DeflatedLittleEndianExplicit, cut).patient_name, "Roe^Jane");
  }
}

TEST(InstanceHead, WhatCannotBeInflatedNamesNothing) {
  InstanceHead head(UID_DeflatedExplicitVRLittleEndianTransferSyntax);
  for (int i = 0; i < 100; ++i) head.feed(octets(std::string(1'000, '\xff')));
  EXPECT_TRUE(head.facts().sop_instance_uid.empty());
}

TEST(InstanceHead, TextComesOutAsUtf8WhateverWasSent) {
  DcmDataset data_set;
  fill_ct(data_set, 1);
  put(data_set, DCM_SpecificCharacterSet, "ISO_IR 100");
  put(data_set, DCM_PatientName, "M\xfcller^J\xf6rg");
  EXPECT_EQ(facts_of(data_set, EXS_LittleEndianExplicit).patient_name, "Müller^Jörg");
  put(data_set, DCM_SpecificCharacterSet, "ISO_IR 192");
  EXPECT_TRUE(is_valid_utf8(facts_of(data_set, EXS_LittleEndianExplicit).patient_name));
  put(data_set, DCM_SpecificCharacterSet, "NO SUCH SET");
  EXPECT_EQ(facts_of(data_set, EXS_LittleEndianExplicit).patient_name, "M\ufffdller^J\ufffdrg");
}

TEST(CheckIdentity, HoldsTheDataSetAgainstItsCommand) {
  DcmDataset data_set;
  fill_ct(data_set, 1);
  const auto facts = facts_of(data_set, EXS_LittleEndianExplicit);
  const std::string instance = facts.sop_instance_uid;
  EXPECT_FALSE(check_identity(facts, kCtImageStorage, instance));
  EXPECT_EQ(check_identity(facts, "1.2.840.10008.5.1.4.1.1.4", instance)->status, kDoesNotMatch);
  EXPECT_EQ(check_identity(facts, kCtImageStorage, "1.2.3")->status, kDoesNotMatch);
  auto no_study = facts;
  no_study.study_instance_uid.clear();
  EXPECT_EQ(check_identity(no_study, kCtImageStorage, instance)->status, kCannotUnderstand);
  auto no_uid = facts;
  no_uid.series_instance_uid = "1.2/../x";
  EXPECT_EQ(check_identity(no_uid, kCtImageStorage, instance)->status, kCannotUnderstand);
}

TEST(Refusal, CommentsFitTheirElement) {
  for (const core::Code code :
       {core::Code::invalid, core::Code::locked, core::Code::no_space, core::Code::busy,
        core::Code::io, core::Code::cancelled, core::Code::internal}) {
    EXPECT_LE(refusal_for(code).comment.size(), 64u);
  }
  EXPECT_EQ(refusal_for(core::Code::no_space).status, kOutOfResources);
  EXPECT_EQ(refusal_for(core::Code::io).status, kProcessingFailure);
}

}  // namespace
}  // namespace gateway::adapters::dicom
