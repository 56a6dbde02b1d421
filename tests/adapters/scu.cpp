#include "tests/adapters/scu.h"

#include <dcmtk/dcmnet/diutil.h>

#include "tests/adapters/data_sets.h"

namespace gateway::adapters::dicom {
namespace {

T_DIMSE_C_StoreRQ store_request(T_ASC_Association& association, DcmDataset& data_set,
                                const std::string& command_uid) {
  T_DIMSE_C_StoreRQ request{};
  OFString sop_class;
  OFString instance;
  EXPECT_TRUE(data_set.findAndGetOFString(DCM_SOPClassUID, sop_class).good());
  EXPECT_TRUE(data_set.findAndGetOFString(DCM_SOPInstanceUID, instance).good());
  request.MessageID = association.nextMsgID++;
  OFStandard::strlcpy(request.AffectedSOPClassUID, sop_class.c_str(),
                      sizeof request.AffectedSOPClassUID);
  OFStandard::strlcpy(request.AffectedSOPInstanceUID,
                      command_uid.empty() ? instance.c_str() : command_uid.c_str(),
                      sizeof request.AffectedSOPInstanceUID);
  request.DataSetType = DIMSE_DATASET_PRESENT;
  request.Priority = DIMSE_PRIORITY_MEDIUM;
  return request;
}

struct FindProgress {
  Scu::Found* found;
  T_ASC_Association* association;
  T_ASC_PresentationContextID context;
  std::size_t cancel_after;
};

void take_answer(void* data, T_DIMSE_C_FindRQ* request, int /*count*/, T_DIMSE_C_FindRSP* response,
                 DcmDataset* identifier) {
  auto& progress = *static_cast<FindProgress*>(data);
  progress.found->pending.push_back(response->DimseStatus);
  progress.found->identifiers.push_back(std::make_unique<DcmDataset>(*identifier));
  if (progress.found->pending.size() != progress.cancel_after) return;
  EXPECT_TRUE(
      DIMSE_sendCancelRequest(progress.association, progress.context, request->MessageID).good());
}

}  // namespace

std::unique_ptr<Scu> Scu::connect(std::uint16_t port, const std::string& called,
                                  T_ASC_RejectParametersReason* rejected) {
  std::unique_ptr<Scu> scu(new Scu());
  EXPECT_TRUE(ASC_initializeNetwork(NET_REQUESTOR, 0, 20, &scu->network_).good());
  T_ASC_Parameters* parameters = nullptr;
  EXPECT_TRUE(ASC_createAssociationParameters(&parameters, ASC_DEFAULTMAXPDU).good());
  ASC_setAPTitles(parameters, "TEST_SCU", called.c_str(), nullptr);
  ASC_setPresentationAddresses(parameters, "localhost",
                               ("127.0.0.1:" + std::to_string(port)).c_str());
  const char* syntax = UID_LittleEndianExplicitTransferSyntax;
  T_ASC_PresentationContextID id = 1;
  for (const char* abstract_syntax :
       {UID_CTImageStorage, "1.2.826.0.1.3680043.99.1", UID_VerificationSOPClass,
        UID_FINDModalityWorklistInformationModel, UID_ModalityPerformedProcedureStepSOPClass}) {
    EXPECT_TRUE(ASC_addPresentationContext(parameters, id, abstract_syntax, &syntax, 1).good());
    id = static_cast<T_ASC_PresentationContextID>(id + 2);
  }
  const OFCondition cond = ASC_requestAssociation(scu->network_, parameters, &scu->association_);
  if (cond.good()) return scu;
  if (rejected != nullptr && cond == DUL_ASSOCIATIONREJECTED) {
    T_ASC_RejectParameters reasons{};
    ASC_getRejectParameters(parameters, &reasons);
    *rejected = reasons.reason;
  }
  return nullptr;
}

Scu::~Scu() {
  if (association_ != nullptr) {
    (void)ASC_dropAssociation(association_);
    (void)ASC_destroyAssociation(&association_);
  }
  ASC_dropNetwork(&network_);
}

T_ASC_PresentationContextID Scu::context_for(const char* abstract_syntax) const {
  return ASC_findAcceptedPresentationContextID(association_, abstract_syntax);
}

std::uint16_t Scu::echo() {
  DIC_US status = 0xffff;
  DcmDataset* detail = nullptr;
  (void)DIMSE_echoUser(association_, association_->nextMsgID++, DIMSE_NONBLOCKING, 20, &status,
                       &detail);
  delete detail;
  return status;
}

Scu::Stored Scu::store(DcmDataset& data_set, const std::string& command_uid) {
  T_DIMSE_C_StoreRQ request = store_request(*association_, data_set, command_uid);
  T_DIMSE_C_StoreRSP response{};
  DcmDataset* detail = nullptr;
  const OFCondition cond =
      DIMSE_storeUser(association_, context_for(request.AffectedSOPClassUID), &request, nullptr,
                      &data_set, nullptr, nullptr, DIMSE_NONBLOCKING, 20, &response, &detail);
  Stored stored;
  if (cond.good()) stored.status = response.DimseStatus;
  OFString comment;
  if (detail != nullptr && detail->findAndGetOFString(DCM_ErrorComment, comment).good())
    stored.comment = comment.c_str();
  delete detail;
  return stored;
}

void Scu::send_fragment(T_ASC_PresentationContextID context, DUL_DATAPDV kind, std::string bytes,
                        bool last) {
  DUL_PDV pdv{bytes.size(), context, kind, last ? OFTrue : OFFalse, bytes.data()};
  DUL_PDVLIST list{};
  list.count = 1;
  list.pdv = &pdv;
  EXPECT_TRUE(DUL_WritePDVs(&association_->DULassociation, &list).good());
}

void Scu::send_store_command(const T_DIMSE_C_StoreRQ& request) {
  DcmDataset command;
  put(command, DCM_AffectedSOPClassUID, request.AffectedSOPClassUID);
  EXPECT_TRUE(command.putAndInsertUint16(DCM_CommandField, DIMSE_C_STORE_RQ).good());
  EXPECT_TRUE(command.putAndInsertUint16(DCM_MessageID, request.MessageID).good());
  EXPECT_TRUE(command.putAndInsertUint16(DCM_Priority, DIMSE_PRIORITY_MEDIUM).good());
  EXPECT_TRUE(command.putAndInsertUint16(DCM_CommandDataSetType, DIMSE_DATASET_PRESENT).good());
  put(command, DCM_AffectedSOPInstanceUID, request.AffectedSOPInstanceUID);
  send_fragment(context_for(request.AffectedSOPClassUID), DUL_COMMANDPDV,
                encode(command, EXS_LittleEndianImplicit), true);
}

Scu::Stored Scu::store_in_fragments(DcmDataset& data_set, std::size_t cut) {
  const T_DIMSE_C_StoreRQ request = store_request(*association_, data_set, "");
  send_store_command(request);
  const std::string bytes = encode(data_set, EXS_LittleEndianExplicit);
  for (std::size_t at = 0; at < bytes.size(); at += cut) {
    send_fragment(context_for(request.AffectedSOPClassUID), DUL_DATASETPDV, bytes.substr(at, cut),
                  at + cut >= bytes.size());
  }
  return Stored{await_status(), ""};
}

std::uint16_t Scu::await_status() {
  T_ASC_PresentationContextID context = 0;
  T_DIMSE_Message message{};
  DcmDataset* detail = nullptr;
  const OFCondition cond =
      DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING, 20, &context, &message, &detail);
  delete detail;
  if (cond.bad()) return 0xffff;
  return message.CommandField == DIMSE_C_FIND_RSP ? message.msg.CFindRSP.DimseStatus
                                                  : message.msg.CStoreRSP.DimseStatus;
}

std::uint16_t Scu::find_encoded(const std::string& identifier) {
  DcmDataset command;
  put(command, DCM_AffectedSOPClassUID, UID_FINDModalityWorklistInformationModel);
  EXPECT_TRUE(command.putAndInsertUint16(DCM_CommandField, DIMSE_C_FIND_RQ).good());
  EXPECT_TRUE(command.putAndInsertUint16(DCM_MessageID, association_->nextMsgID++).good());
  EXPECT_TRUE(command.putAndInsertUint16(DCM_Priority, DIMSE_PRIORITY_MEDIUM).good());
  EXPECT_TRUE(command.putAndInsertUint16(DCM_CommandDataSetType, DIMSE_DATASET_PRESENT).good());
  const auto context = context_for(UID_FINDModalityWorklistInformationModel);
  send_fragment(context, DUL_COMMANDPDV, encode(command, EXS_LittleEndianImplicit), true);
  constexpr std::size_t kCut = 8'192;
  for (std::size_t at = 0; at < identifier.size(); at += kCut)
    send_fragment(context, DUL_DATASETPDV, identifier.substr(at, kCut),
                  at + kCut >= identifier.size());
  return await_status();
}

bool Scu::command_encoded(const std::string& command) {
  const auto context = context_for(UID_VerificationSOPClass);
  constexpr std::size_t kCut = 8'192;
  for (std::size_t at = 0; at < command.size(); at += kCut) {
    std::string piece = command.substr(at, kCut);
    DUL_PDV pdv{piece.size(), context, DUL_COMMANDPDV,
                at + kCut >= command.size() ? OFTrue : OFFalse, piece.data()};
    DUL_PDVLIST list{};
    list.count = 1;
    list.pdv = &pdv;
    if (DUL_WritePDVs(&association_->DULassociation, &list).bad()) return false;
  }
  return await_status() != 0xffff;
}

void Scu::break_off_store(DcmDataset& data_set) {
  const T_DIMSE_C_StoreRQ request = store_request(*association_, data_set, "");
  send_store_command(request);
  const std::string bytes = encode(data_set, EXS_LittleEndianExplicit);
  send_fragment(context_for(request.AffectedSOPClassUID), DUL_DATASETPDV,
                bytes.substr(0, bytes.size() / 2), false);
  (void)ASC_dropAssociation(association_);
}

Scu::Found Scu::find(DcmDataset& keys, std::size_t cancel_after) {
  T_DIMSE_C_FindRQ request{};
  request.MessageID = association_->nextMsgID++;
  OFStandard::strlcpy(request.AffectedSOPClassUID, UID_FINDModalityWorklistInformationModel,
                      sizeof request.AffectedSOPClassUID);
  request.DataSetType = DIMSE_DATASET_PRESENT;
  Found found;
  FindProgress progress{&found, association_, context_for(UID_FINDModalityWorklistInformationModel),
                        cancel_after};
  T_DIMSE_C_FindRSP response{};
  DcmDataset* detail = nullptr;
  int count = 0;
  const OFCondition cond =
      DIMSE_findUser(association_, progress.context, &request, &keys, count, take_answer, &progress,
                     DIMSE_NONBLOCKING, 20, &response, &detail);
  delete detail;
  if (cond.good()) found.status = response.DimseStatus;
  return found;
}

Scu::StepAnswer Scu::create_step(DcmDataset& attributes, const std::string& uid) {
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_CREATE_RQ;
  T_DIMSE_N_CreateRQ& request = message.msg.NCreateRQ;
  request.MessageID = association_->nextMsgID++;
  OFStandard::strlcpy(request.AffectedSOPClassUID, UID_ModalityPerformedProcedureStepSOPClass,
                      sizeof request.AffectedSOPClassUID);
  if (!uid.empty()) {
    request.opts = O_NCREATE_AFFECTEDSOPINSTANCEUID;
    OFStandard::strlcpy(request.AffectedSOPInstanceUID, uid.c_str(),
                        sizeof request.AffectedSOPInstanceUID);
  }
  request.DataSetType = DIMSE_DATASET_PRESENT;
  EXPECT_TRUE(DIMSE_sendMessageUsingMemoryData(
                  association_, context_for(UID_ModalityPerformedProcedureStepSOPClass), &message,
                  nullptr, &attributes, nullptr, nullptr)
                  .good());
  return await_step_answer();
}

Scu::StepAnswer Scu::set_step(DcmDataset& attributes, const std::string& uid) {
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_SET_RQ;
  T_DIMSE_N_SetRQ& request = message.msg.NSetRQ;
  request.MessageID = association_->nextMsgID++;
  OFStandard::strlcpy(request.RequestedSOPClassUID, UID_ModalityPerformedProcedureStepSOPClass,
                      sizeof request.RequestedSOPClassUID);
  OFStandard::strlcpy(request.RequestedSOPInstanceUID, uid.c_str(),
                      sizeof request.RequestedSOPInstanceUID);
  request.DataSetType = DIMSE_DATASET_PRESENT;
  EXPECT_TRUE(DIMSE_sendMessageUsingMemoryData(
                  association_, context_for(UID_ModalityPerformedProcedureStepSOPClass), &message,
                  nullptr, &attributes, nullptr, nullptr)
                  .good());
  return await_step_answer();
}

Scu::StepAnswer Scu::await_step_answer() {
  T_ASC_PresentationContextID context = 0;
  T_DIMSE_Message message{};
  DcmDataset* detail = nullptr;
  StepAnswer answer;
  if (DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING, 20, &context, &message, &detail).bad())
    return answer;
  if (message.CommandField == DIMSE_N_CREATE_RSP) {
    answer.status = message.msg.NCreateRSP.DimseStatus;
    answer.uid = message.msg.NCreateRSP.AffectedSOPInstanceUID;
  } else if (message.CommandField == DIMSE_N_SET_RSP) {
    answer.status = message.msg.NSetRSP.DimseStatus;
    answer.uid = message.msg.NSetRSP.AffectedSOPInstanceUID;
  }
  if (detail != nullptr) (void)detail->findAndGetUint16(DCM_ErrorID, answer.error_id);
  delete detail;
  return answer;
}

void Scu::release() { EXPECT_TRUE(ASC_releaseAssociation(association_).good()); }

}  // namespace gateway::adapters::dicom
