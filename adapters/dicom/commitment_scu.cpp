#include "adapters/dicom/commitment_scu.h"

#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>

#include "adapters/dicom/store_status.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr DIC_US kRequestCommitment = 1;  // action type, PS3.4 J.3.2.1.1

/// PS3.4 table J.3-1.
DcmDataset action_information(const sync::PacsCommitment& commitment) {
  DcmDataset data_set;
  (void)data_set.putAndInsertString(DCM_TransactionUID, commitment.transaction_uid.c_str());
  constexpr long kAppend = -2;
  for (const sync::CommitmentItem& instance : commitment.items) {
    DcmItem* item = nullptr;
    if (data_set.findOrCreateSequenceItem(DCM_ReferencedSOPSequence, item, kAppend).bad()) continue;
    (void)item->putAndInsertString(DCM_ReferencedSOPClassUID, instance.sop_class_uid.c_str());
    (void)item->putAndInsertString(DCM_ReferencedSOPInstanceUID, instance.sop_instance_uid.c_str());
  }
  return data_set;
}

OFCondition send_action(OutgoingAssociation& association, T_ASC_PresentationContextID context,
                        const sync::PacsCommitment& commitment) {
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_ACTION_RQ;
  T_DIMSE_N_ActionRQ& request = message.msg.NActionRQ;
  request.MessageID = association.handle()->nextMsgID++;
  request.ActionTypeID = kRequestCommitment;
  request.DataSetType = DIMSE_DATASET_PRESENT;
  OFStandard::strlcpy(request.RequestedSOPClassUID, UID_StorageCommitmentPushModelSOPClass,
                      sizeof request.RequestedSOPClassUID);
  OFStandard::strlcpy(request.RequestedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance,
                      sizeof request.RequestedSOPInstanceUID);
  DcmDataset information = action_information(commitment);
  return DIMSE_sendMessageUsingMemoryData(association.handle(), context, &message, nullptr,
                                          &information, nullptr, nullptr);
}

int seconds_until(std::chrono::steady_clock::time_point end) {
  const auto left = end - std::chrono::steady_clock::now();
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(left).count());
}

/// A report may even come before the answer to the request (PS3.4 J.3.3.1).
class Dialogue {
 public:
  Dialogue(OutgoingAssociation& association, const sync::PacsCommitment& commitment,
           const ReportSetting& setting)
      : association_(association), commitment_(commitment), setting_(setting) {}

  core::Status await_answer(int seconds) {
    while (true) {
      T_DIMSE_Message message{};
      T_ASC_PresentationContextID context = 0;
      const OFCondition cond = association_.receive(message, context, seconds);
      if (cond.bad()) return Error(Code::lost_answer, cat("no answer: ", cond.text()));
      if (message.CommandField == DIMSE_N_EVENT_REPORT_RQ) {
        GW_CHECK(take(context, message.msg.NEventReportRQ));
        continue;
      }
      if (message.CommandField != DIMSE_N_ACTION_RSP)
        return Error(Code::lost_answer, "the PACS answered something else");
      const std::uint16_t status = message.msg.NActionRSP.DimseStatus;
      if (status == kSuccess) return {};
      return Error(Code::refused,
                   cat("the PACS refuses storage commitment with status ", status_words(status)));
    }
  }

  void await_report(core::Milliseconds wait) {
    const auto end = std::chrono::steady_clock::now() + wait;
    while (!is_told_) {
      const int seconds = seconds_until(end);
      if (seconds <= 0) return;
      T_DIMSE_Message message{};
      T_ASC_PresentationContextID context = 0;
      if (association_.receive(message, context, seconds).bad()) return;
      if (message.CommandField != DIMSE_N_EVENT_REPORT_RQ) return;
      if (!take(context, message.msg.NEventReportRQ).ok()) return;
    }
  }

 private:
  core::Status take(T_ASC_PresentationContextID context, const T_DIMSE_N_EventReportRQ& request) {
    GW_TRY(const std::string told,
           take_pacs_report(*association_.handle(), context, request, setting_));
    is_told_ = is_told_ || told == commitment_.transaction_uid;
    return {};
  }

  OutgoingAssociation& association_;
  const sync::PacsCommitment& commitment_;
  const ReportSetting& setting_;
  bool is_told_ = false;
};

}  // namespace

OutgoingAssociation::Proposal commitment_proposal() {
  return {UID_StorageCommitmentPushModelSOPClass,
          {UID_LittleEndianExplicitTransferSyntax, UID_LittleEndianImplicitTransferSyntax}};
}

core::Status ask_commitment(OutgoingAssociation& association, int answer_seconds,
                            core::Milliseconds report_wait, const sync::PacsCommitment& commitment,
                            const ReportSetting& setting) {
  const T_ASC_PresentationContextID context = ASC_findAcceptedPresentationContextID(
      association.handle(), UID_StorageCommitmentPushModelSOPClass);
  if (context == 0) return Error(Code::refused, "the PACS takes no storage commitment requests");
  if (const OFCondition sent = send_action(association, context, commitment); sent.bad())
    return Error(Code::lost_answer, cat("the request did not get through: ", sent.text()));
  Dialogue dialogue(association, commitment, setting);
  GW_CHECK(dialogue.await_answer(answer_seconds));
  dialogue.await_report(report_wait);
  return {};
}

}  // namespace gateway::adapters::dicom
