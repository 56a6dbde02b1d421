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

const char* first_of(const T_ASC_PresentationContext& proposed,
                     const std::function<bool(const char*)>& suits) {
  const auto* end = proposed.proposedTransferSyntaxes + proposed.transferSyntaxCount;
  const auto* found = std::find_if(proposed.proposedTransferSyntaxes, end, suits);
  return found == end ? nullptr : *found;
}

const char* choose_for_retrieval(const T_ASC_PresentationContext& proposed,
                                 const HeldSyntaxes& held) {
  const auto usual = held.equal_range(std::string_view(proposed.abstractSyntax));
  const auto is_held = [usual](const char* uid) {
    return std::any_of(usual.first, usual.second,
                       [uid](const auto& one) { return one.second == uid; });
  };
  const char* as_held = first_of(proposed, is_held);
  if (as_held != nullptr && std::distance(usual.first, usual.second) == 1) return as_held;
  for (const char* plain :
       {UID_LittleEndianExplicitTransferSyntax, UID_LittleEndianImplicitTransferSyntax}) {
    if (const char* uid =
            first_of(proposed, [&](const char* p) { return std::string_view(p) == plain; }))
      return uid;
  }
  return as_held != nullptr ? as_held : first_of(proposed, can_carry);
}

const char* choose_transfer_syntax(const T_ASC_PresentationContext& proposed, Service service) {
  const auto suits = [service](const char* uid) {
    return service == Service::storage ? can_carry(uid) : can_parse(uid);
  };
  return first_of(proposed, suits);
}

bool wants_to_be_provider(const T_ASC_PresentationContext& proposed) {
  return proposed.proposedRole == ASC_SC_ROLE_SCP || proposed.proposedRole == ASC_SC_ROLE_SCUSCP;
}

bool is_allowed(Service service, const Rights& rights) {
  switch (service) {
    case Service::performed_step:
    case Service::commitment:
      return rights.store;
    case Service::worklist:
    case Service::archive_query:
      return rights.query;
    case Service::retrieval:
      return rights.retrieve;
    default:
      return true;
  }
}

// The role the caller gets in a storage context (PS3.7 D.3.3.4); NONE: none it may have.
T_ASC_SC_ROLE role_of(const T_ASC_PresentationContext& proposed, const Rights& rights) {
  if (!wants_to_be_provider(proposed)) return rights.store ? ASC_SC_ROLE_DEFAULT : ASC_SC_ROLE_NONE;
  if (!rights.retrieve) {
    return rights.store && proposed.proposedRole == ASC_SC_ROLE_SCUSCP ? ASC_SC_ROLE_SCU
                                                                       : ASC_SC_ROLE_NONE;
  }
  return rights.store ? proposed.proposedRole : ASC_SC_ROLE_SCP;
}

bool decide_context(T_ASC_Parameters& parameters, const T_ASC_PresentationContext& proposed,
                    const Rights& rights, const HeldSyntaxes& held) {
  const auto refuse = [&](T_ASC_P_ResultReason reason) {
    (void)ASC_refusePresentationContext(&parameters, proposed.presentationContextID, reason);
    return false;
  };
  const Service service = service_of(proposed.abstractSyntax);
  const bool is_storage = service == Service::storage;
  if (service == Service::none) return refuse(ASC_P_ABSTRACTSYNTAXNOTSUPPORTED);
  // A PACS that reports a storage commitment proposes itself as the provider (PS3.4 J.3.3).
  const bool reports = service == Service::commitment && wants_to_be_provider(proposed);
  const T_ASC_SC_ROLE role = is_storage ? role_of(proposed, rights)
                             : reports  ? proposed.proposedRole
                                        : ASC_SC_ROLE_DEFAULT;
  if (role == ASC_SC_ROLE_NONE || !is_allowed(service, rights)) return refuse(ASC_P_USERREJECTION);
  const bool is_retrieval = is_storage && (role == ASC_SC_ROLE_SCP || role == ASC_SC_ROLE_SCUSCP);
  const char* transfer_syntax = is_retrieval ? choose_for_retrieval(proposed, held)
                                             : choose_transfer_syntax(proposed, service);
  if (transfer_syntax == nullptr) return refuse(ASC_P_TRANSFERSYNTAXESNOTSUPPORTED);
  return ASC_acceptPresentationContext(&parameters, proposed.presentationContextID, transfer_syntax,
                                       role)
      .good();
}

template <class Visit>
void each_proposed(T_ASC_Parameters& parameters, Visit visit) {
  const int count = ASC_countPresentationContexts(&parameters);
  for (int position = 0; position < count; ++position) {
    T_ASC_PresentationContext proposed{};
    // Fails for more transfer syntaxes than it has room for, having copied those that fit.
    if (ASC_getPresentationContext(&parameters, position, &proposed).bad()) {
      proposed.transferSyntaxCount = DICOM_MAXTRANSFERSYNTAXES;
    }
    visit(proposed);
  }
}

}  // namespace

std::span<const OfferedClass> offered_classes() {
  static constexpr std::array kOffered = {
      OfferedClass{UID_VerificationSOPClass, Service::verification},
      OfferedClass{UID_FINDModalityWorklistInformationModel, Service::worklist},
      OfferedClass{UID_ModalityPerformedProcedureStepSOPClass, Service::performed_step},
      OfferedClass{UID_StorageCommitmentPushModelSOPClass, Service::commitment},
      OfferedClass{UID_FINDPatientRootQueryRetrieveInformationModel, Service::archive_query},
      OfferedClass{UID_FINDStudyRootQueryRetrieveInformationModel, Service::archive_query},
      OfferedClass{UID_GETPatientRootQueryRetrieveInformationModel, Service::retrieval},
      OfferedClass{UID_GETStudyRootQueryRetrieveInformationModel, Service::retrieval},
      OfferedClass{UID_MOVEPatientRootQueryRetrieveInformationModel, Service::retrieval},
      OfferedClass{UID_MOVEStudyRootQueryRetrieveInformationModel, Service::retrieval}};
  return kOffered;
}

Service service_of(std::string_view abstract_syntax) {
  for (const OfferedClass& offered : offered_classes()) {
    if (abstract_syntax == offered.uid) return offered.service;
  }
  const std::string uid(abstract_syntax);
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

int decide_contexts(T_ASC_Parameters& parameters, const Rights& rights, const HeldSyntaxes& held) {
  int accepted = 0;
  each_proposed(parameters, [&](const T_ASC_PresentationContext& proposed) {
    if (decide_context(parameters, proposed, rights, held)) ++accepted;
  });
  return accepted;
}

bool proposes_retrieval(T_ASC_Parameters& parameters) {
  bool proposes = false;
  each_proposed(parameters, [&](const T_ASC_PresentationContext& proposed) {
    proposes = proposes || wants_to_be_provider(proposed);
  });
  return proposes;
}

}  // namespace gateway::adapters::dicom
