#include "adapters/dicom/negotiation.h"

#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <algorithm>
#include <array>
#include <string>

namespace gateway::adapters::dicom {
namespace {

constexpr std::string_view kStandardRoot = "1.2.840.10008.";
constexpr std::string_view kStorageRoot = "1.2.840.10008.5.1.4.1.1.";

// Below the storage root, newer than the older DCMTK's tables, and no storage (PS3.4 BB and KK).
constexpr std::array<std::string_view, 6> kNotStorage = {
    "1.2.840.10008.5.1.4.1.1.200.4", "1.2.840.10008.5.1.4.1.1.200.5",
    "1.2.840.10008.5.1.4.1.1.200.6", "1.2.840.10008.5.1.4.1.1.201.2",
    "1.2.840.10008.5.1.4.1.1.201.3", "1.2.840.10008.5.1.4.1.1.201.4"};

bool is_unknown_storage(std::string_view uid) {
  if (!uid.starts_with(kStandardRoot)) return true;
  return uid.starts_with(kStorageRoot) &&
         std::find(kNotStorage.begin(), kNotStorage.end(), uid) == kNotStorage.end();
}

bool can_parse(std::string_view transfer_syntax) {
  return transfer_syntax == UID_LittleEndianExplicitTransferSyntax ||
         transfer_syntax == UID_LittleEndianImplicitTransferSyntax ||
         transfer_syntax == UID_BigEndianExplicitTransferSyntax;
}

const char* choose_transfer_syntax(const T_ASC_PresentationContext& proposed, Service service) {
  const auto suits = [service](const char* uid) {
    return service == Service::storage ? can_carry(uid) : can_parse(uid);
  };
  const auto* end = proposed.proposedTransferSyntaxes + proposed.transferSyntaxCount;
  const auto* found = std::find_if(proposed.proposedTransferSyntaxes, end, suits);
  return found == end ? nullptr : *found;
}

bool is_allowed(Service service, const Rights& rights) {
  switch (service) {
    case Service::storage:
    case Service::performed_step:
    case Service::commitment:
      return rights.store;
    case Service::worklist:
      return rights.query;
    default:
      return true;
  }
}

bool decide_context(T_ASC_Parameters& parameters, const T_ASC_PresentationContext& proposed,
                    const Rights& rights) {
  const auto refuse = [&](T_ASC_P_ResultReason reason) {
    (void)ASC_refusePresentationContext(&parameters, proposed.presentationContextID, reason);
    return false;
  };
  const Service service = service_of(proposed.abstractSyntax);
  if (service == Service::none) return refuse(ASC_P_ABSTRACTSYNTAXNOTSUPPORTED);
  if (!is_allowed(service, rights)) return refuse(ASC_P_USERREJECTION);
  const char* transfer_syntax = choose_transfer_syntax(proposed, service);
  if (transfer_syntax == nullptr) return refuse(ASC_P_TRANSFERSYNTAXESNOTSUPPORTED);
  return ASC_acceptPresentationContext(&parameters, proposed.presentationContextID, transfer_syntax)
      .good();
}

}  // namespace

Service service_of(std::string_view abstract_syntax) {
  const std::string uid(abstract_syntax);
  if (uid == UID_VerificationSOPClass) return Service::verification;
  if (uid == UID_FINDModalityWorklistInformationModel) return Service::worklist;
  if (uid == UID_ModalityPerformedProcedureStepSOPClass) return Service::performed_step;
  if (uid == UID_StorageCommitmentPushModelSOPClass) return Service::commitment;
  if (dcmIsaStorageSOPClassUID(uid.c_str(), ESSC_All)) return Service::storage;
  if (dcmFindNameOfUID(uid.c_str()) != nullptr) return Service::none;
  return is_unknown_storage(uid) ? Service::storage : Service::none;
}

// DCMTK's getTransferSyntax() (dimse.cc) ends an association at the first command in a syntax it
// does not list, so the ones it leaves out are left out here.
bool can_carry(std::string_view transfer_syntax) {
  switch (DcmXfer(std::string(transfer_syntax).c_str()).getXfer()) {
    case EXS_Unknown:
    case EXS_BigEndianImplicit:
    case EXS_JPIPReferenced:
    case EXS_JPIPReferencedDeflate:
    case EXS_PrivateGE_LEI_WithBigEndianPixelData:
#if PACKAGE_VERSION_NUMBER >= 369
    case EXS_JPIPHTJ2KReferenced:
    case EXS_JPIPHTJ2KReferencedDeflate:
#endif
      return false;
    default:
      return true;
  }
}

int decide_contexts(T_ASC_Parameters& parameters, const Rights& rights) {
  int accepted = 0;
  const int proposed_count = ASC_countPresentationContexts(&parameters);
  for (int position = 0; position < proposed_count; ++position) {
    T_ASC_PresentationContext proposed{};
    // Fails for more transfer syntaxes than it has room for, having copied those that fit.
    if (ASC_getPresentationContext(&parameters, position, &proposed).bad()) {
      proposed.transferSyntaxCount = DICOM_MAXTRANSFERSYNTAXES;
    }
    if (decide_context(parameters, proposed, rights)) ++accepted;
  }
  return accepted;
}

}  // namespace gateway::adapters::dicom
