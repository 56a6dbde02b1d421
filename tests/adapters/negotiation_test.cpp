#include "adapters/dicom/negotiation.h"

#include <dcmtk/dcmdata/dcuid.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gateway::adapters::dicom {
namespace {

class Proposal {
 public:
  Proposal() {
    EXPECT_TRUE(ASC_createAssociationParameters(&parameters_, ASC_MAXIMUMPDUSIZE).good());
  }
  ~Proposal() { ASC_destroyAssociationParameters(&parameters_); }
  void add(T_ASC_PresentationContextID id, const std::string& abstract_syntax,
           std::vector<const char*> transfer_syntaxes) {
    EXPECT_TRUE(ASC_addPresentationContext(parameters_, id, abstract_syntax.c_str(),
                                           transfer_syntaxes.data(),
                                           static_cast<int>(transfer_syntaxes.size()))
                    .good());
  }
  std::string accepted(T_ASC_PresentationContextID id) {
    T_ASC_PresentationContext context{};
    return ASC_findAcceptedPresentationContext(parameters_, id, &context).good()
               ? context.acceptedTransferSyntax
               : "";
  }
  T_ASC_Parameters& parameters() { return *parameters_; }

 private:
  T_ASC_Parameters* parameters_ = nullptr;
};

TEST(Negotiation, TakesEveryStorageClassAndWhatMayBeOne) {
  for (int i = 0; i < numberOfDcmAllStorageSOPClassUIDs; ++i) {
    EXPECT_EQ(service_of(dcmAllStorageSOPClassUIDs[i]), Service::storage)
        << dcmAllStorageSOPClassUIDs[i];
  }
  EXPECT_EQ(service_of("1.2.826.0.1.3680043.99.1"), Service::storage);        // private
  EXPECT_EQ(service_of("1.2.840.10008.5.1.4.1.1.9999.1"), Service::storage);  // of a later standard
  EXPECT_EQ(service_of(UID_VerificationSOPClass), Service::verification);
  EXPECT_EQ(service_of(UID_FINDModalityWorklistInformationModel), Service::worklist);
  EXPECT_EQ(service_of(UID_ModalityPerformedProcedureStepSOPClass), Service::performed_step);
  EXPECT_EQ(service_of(UID_StorageCommitmentPushModelSOPClass), Service::commitment);
}

TEST(Negotiation, RefusesServicesItDoesNotHave) {
  for (const char* uid : {UID_RETIRED_FINDPatientStudyOnlyQueryRetrieveInformationModel,
                          "1.2.840.10008.5.1.4.1.1.201.2", "1.2.840.10008.99"}) {
    EXPECT_EQ(service_of(uid), Service::none) << uid;
  }
}

TEST(Negotiation, TakesTheFirstProposedTransferSyntaxItCanCarry) {
  Proposal proposal;
  proposal.add(1, UID_CTImageStorage,
               {"1.2.3.4.5", UID_JPEG2000TransferSyntax, UID_LittleEndianImplicitTransferSyntax});
  proposal.add(3, UID_CTImageStorage, {"1.2.3.4.5"});
  proposal.add(
      5, UID_FINDModalityWorklistInformationModel,
      {UID_DeflatedExplicitVRLittleEndianTransferSyntax, UID_BigEndianExplicitTransferSyntax});
  proposal.add(7, UID_RETIRED_MOVEPatientStudyOnlyQueryRetrieveInformationModel,
               {UID_LittleEndianImplicitTransferSyntax});
  EXPECT_EQ(decide_contexts(proposal.parameters(), {}), 2);
  EXPECT_EQ(proposal.accepted(1), UID_JPEG2000TransferSyntax);
  EXPECT_EQ(proposal.accepted(3), "");
  EXPECT_EQ(proposal.accepted(5), UID_BigEndianExplicitTransferSyntax);
  EXPECT_EQ(proposal.accepted(7), "");
}

TEST(Negotiation, TakesAsManyContextsAsAnAssociationHas) {
  Proposal proposal;
  for (int i = 0; i < 128; ++i) {
    proposal.add(static_cast<T_ASC_PresentationContextID>(2 * i + 1),
                 "1.2.826.0.1.3680043.99." + std::to_string(i),
                 {UID_JPEGProcess14SV1TransferSyntax});
  }
  EXPECT_EQ(decide_contexts(proposal.parameters(), {}), 128);
}

TEST(Negotiation, AnswersWhatItsCallerMayDo) {
  Proposal proposal;
  proposal.add(1, UID_CTImageStorage, {UID_LittleEndianExplicitTransferSyntax});
  proposal.add(3, UID_FINDStudyRootQueryRetrieveInformationModel,
               {UID_LittleEndianExplicitTransferSyntax});
  proposal.add(5, UID_GETStudyRootQueryRetrieveInformationModel,
               {UID_LittleEndianExplicitTransferSyntax});
  proposal.add(7, UID_VerificationSOPClass, {UID_LittleEndianExplicitTransferSyntax});
  EXPECT_EQ(decide_contexts(proposal.parameters(), {false, true, false}), 2);
  EXPECT_EQ(proposal.accepted(1), "");
  EXPECT_EQ(proposal.accepted(3), UID_LittleEndianExplicitTransferSyntax);
  EXPECT_EQ(proposal.accepted(5), "");
  EXPECT_EQ(proposal.accepted(7), UID_LittleEndianExplicitTransferSyntax);
}

class RetrievalProposal : public Proposal {
 public:
  explicit RetrievalProposal(std::vector<const char*> syntaxes) {
    EXPECT_TRUE(ASC_addPresentationContext(&parameters(), 1, UID_CTImageStorage, syntaxes.data(),
                                           static_cast<int>(syntaxes.size()), ASC_SC_ROLE_SCP)
                    .good());
  }
};

TEST(Negotiation, WhoWantsToBeGivenObjectsGetsThemAsTheyAreHeldWhereAllAreHeldAlike) {
  const std::vector<const char*> both = {UID_JPEGProcess14SV1TransferSyntax,
                                         UID_LittleEndianExplicitTransferSyntax};
  const std::pair<std::string, std::string> jpeg(UID_CTImageStorage,
                                                 UID_JPEGProcess14SV1TransferSyntax);
  const std::pair<std::string, std::string> plain(UID_CTImageStorage,
                                                  UID_LittleEndianExplicitTransferSyntax);
  const auto chosen = [](std::vector<const char*> syntaxes, const HeldSyntaxes& held) {
    RetrievalProposal proposal(std::move(syntaxes));
    EXPECT_TRUE(proposes_retrieval(proposal.parameters()));
    EXPECT_EQ(decide_contexts(proposal.parameters(), {}, held), 1);
    return proposal.accepted(1);
  };
  EXPECT_EQ(chosen(both, {jpeg}), jpeg.second);
  EXPECT_EQ(chosen(both, {jpeg, plain}), plain.second);
  EXPECT_EQ(chosen(both, {}), plain.second);
  EXPECT_EQ(chosen({both[0]}, {plain}), jpeg.second);
  RetrievalProposal refused(both);
  EXPECT_EQ(decide_contexts(refused.parameters(), {true, true, false}), 0);
}

}  // namespace
}  // namespace gateway::adapters::dicom
