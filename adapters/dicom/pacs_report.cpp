#include "adapters/dicom/pacs_report.h"

#include <optional>
#include <utility>

#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/data_set_receiver.h"
#include "adapters/dicom/sealing_sink.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/pacs_commitment.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr std::size_t kReportBytesMax = 8U << 20;

/// Calls `take` for each item of the sequence, which may be absent.
void each_item(DcmItem& data_set, const DcmTagKey& tag, const std::function<void(DcmItem&)>& take) {
  DcmSequenceOfItems* items = nullptr;
  if (data_set.findAndGetSequence(tag, items).bad()) return;
  for (unsigned long i = 0; i < items->card(); ++i) take(*items->getItem(i));
}

core::Result<sync::PacsReport> read_report(const std::string& bytes, const std::string& syntax) {
  GW_TRY(const auto data_set, parse_data_set(bytes, DcmXfer(syntax.c_str()).getXfer()));
  sync::PacsReport report;
  report.transaction_uid = text_of(*data_set, DCM_TransactionUID);
  if (report.transaction_uid.empty()) return Error(Code::invalid, "no Transaction UID");
  each_item(*data_set, DCM_ReferencedSOPSequence, [&](DcmItem& item) {
    report.committed.push_back(text_of(item, DCM_ReferencedSOPInstanceUID));
  });
  each_item(*data_set, DCM_FailedSOPSequence, [&](DcmItem& item) {
    Uint16 reason = kProcessingFailure;
    (void)item.findAndGetUint16(DCM_FailureReason, reason);
    report.failed.push_back({text_of(item, DCM_ReferencedSOPInstanceUID), reason});
  });
  return report;
}

void tell(const sync::PacsReport& report, const sync::PacsVerdict& verdict) {
  core::log_info("dicom", cat("uplink ", verdict.uplink, ": the PACS has committed itself to keep ",
                              verdict.committed, " images"));
  if (report.failed.empty()) return;
  core::log_warn("dicom",
                 cat("uplink ", verdict.uplink, ": the PACS does not commit itself to ",
                     report.failed.size(), " images, of which it says it lacks ", verdict.missing,
                     "; they stay here. clinic-gateway studies send sends a study again"));
}

core::Status keep(const ReportSetting& setting, const sync::PacsReport& report) {
  if (!setting.holdings) return Error(Code::locked, "the gateway is locked");
  const core::Wall now = setting.clock.wall();
  sync::PacsVerdict verdict;
  const auto change = [&](crypto::Connection& connection) -> core::Status {
    GW_TRY(verdict,
           sync::record_pacs_report(connection, report, setting.may_tell, core::to_instant(now)));
    return setting.holdings->audit().append(
        connection, {.at = now,
                     .actor = cat("uplink:", verdict.uplink),
                     .action = "commit",
                     .resource = cat("commitment/", verdict.committed, " instances"),
                     .patient = "",
                     .source = setting.who,
                     .outcome = report.failed.empty() ? "safe there" : "not all are safe there"});
  };
  GW_CHECK(setting.holdings->database().write(change));
  tell(report, verdict);
  return {};
}

NAnswer answer_for(const core::Status& kept) {
  if (kept.ok()) return {};
  switch (kept.error().code()) {
    case Code::not_found:  // told again, because our answer was lost
      return {};
    case Code::invalid:
      return {kInvalidArgument, kept.error().message()};
    case Code::refused:
      return {kProcessingFailure, "this is not the AE title that was asked"};
    default:
      return {kProcessingFailure, refusal_for(kept.error().code()).comment};
  }
}

bool send_answer(T_ASC_Association& association, T_ASC_PresentationContextID context,
                 const T_DIMSE_N_EventReportRQ& request, const NAnswer& answer) {
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_EVENT_REPORT_RSP;
  T_DIMSE_N_EventReportRSP& response = message.msg.NEventReportRSP;
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.EventTypeID = request.EventTypeID;
  response.DimseStatus = answer.status;
  response.DataSetType = DIMSE_DATASET_NULL;
  response.opts = O_NEVENTREPORT_AFFECTEDSOPCLASSUID | O_NEVENTREPORT_AFFECTEDSOPINSTANCEUID |
                  O_NEVENTREPORT_EVENTTYPEID;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID,
                      sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  return send_n_answer(association, context, message, answer);
}

/// Code::unavailable: the association broke.
core::Result<std::string> receive(T_ASC_Association& association,
                                  T_ASC_PresentationContextID context,
                                  const T_DIMSE_N_EventReportRQ& request) {
  if (request.DataSetType == DIMSE_DATASET_NULL) return std::string();
  BoundedSink sink(kReportBytesMax);
  if (receive_data_set(association, context, sink).bad())
    return Error(Code::unavailable, "the report was broken off");
  // What was cut off cannot be read either.
  return sink.bytes();
}

}  // namespace

core::Result<std::string> take_pacs_report(T_ASC_Association& association,
                                           T_ASC_PresentationContextID context,
                                           const T_DIMSE_N_EventReportRQ& request,
                                           const ReportSetting& setting) {
  GW_TRY(const std::string bytes, receive(association, context, request));
  T_ASC_PresentationContext agreed{};
  if (ASC_findAcceptedPresentationContext(association.params, context, &agreed).bad())
    return Error(Code::unavailable, "a report in a context nobody agreed on");
  std::string transaction;
  core::Status kept;
  if (command_uid(request.AffectedSOPClassUID) != UID_StorageCommitmentPushModelSOPClass) {
    kept = Error(Code::invalid, "only storage commitment is reported here");
  } else if (const auto report = read_report(bytes, agreed.acceptedTransferSyntax); report.ok()) {
    kept = keep(setting, *report);
    transaction = report->transaction_uid;
  } else {
    kept = report.error();
  }
  const NAnswer answer = answer_for(kept);
  if (answer.status != kSuccess) {
    core::log_warn("dicom", cat("a storage commitment report of ", setting.who,
                                " was not taken: ", kept.error().message()));
  }
  if (!send_answer(association, context, request, answer))
    return Error(Code::unavailable, "the answer to a report did not get through");
  return answer.status == kSuccess ? transaction : std::string();
}

bool serve_pacs_report(Association& association, T_ASC_PresentationContextID context,
                       const T_DIMSE_N_EventReportRQ& request, const DicomOptions& options,
                       const sync::HoldingsDoor& door, const core::Clock& clock, Traffic& traffic) {
  association.peer().set_patience(association.peer().stall_timeout());
  association.peer().set_read_allowance(UINT64_MAX);
  const DicomPeer* peer =
      find_peer(options, association.calling_title(), association.peer().address());
  const auto may_tell = [&](const std::string& uplink) {
    const auto to = options.uplink_peers.find(uplink);
    return peer != nullptr && to != options.uplink_peers.end() && to->second == peer->name;
  };
  const ReportSetting setting{
      door.get(), clock, cat(association.calling_title(), " at ", association.peer().address()),
      may_tell};
  const auto taken = take_pacs_report(*association.handle(), context, request, setting);
  if (!taken.ok()) {
    association.abort();
    return false;
  }
  if (taken->empty()) ++traffic.refused;
  return true;
}

}  // namespace gateway::adapters::dicom
