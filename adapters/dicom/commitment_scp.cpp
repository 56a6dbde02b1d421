#include "adapters/dicom/commitment_scp.h"

#include <optional>

#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/n_answer.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/commitment.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

constexpr std::size_t kRequestBytesMax = 8U << 20;  // 150 bytes an instance
constexpr DIC_US kRequestCommitment = 1;            // action type, PS3.4 J.3.2.1.1

core::Result<sync::CommitmentRequest> read_request(const std::string& bytes,
                                                   const std::string& syntax) {
  GW_TRY(auto data_set, parse_data_set(bytes, DcmXfer(syntax.c_str()).getXfer()));
  sync::CommitmentRequest request;
  request.transaction_uid = text_of(*data_set, DCM_TransactionUID);
  if (request.transaction_uid.empty()) return Error(Code::invalid, "no Transaction UID");
  DcmSequenceOfItems* items = nullptr;
  if (data_set->findAndGetSequence(DCM_ReferencedSOPSequence, items).bad() || items->card() == 0)
    return Error(Code::invalid, "the request names no instance");
  for (unsigned long i = 0; i < items->card(); ++i) {
    sync::CommitmentItem item{text_of(*items->getItem(i), DCM_ReferencedSOPClassUID),
                              text_of(*items->getItem(i), DCM_ReferencedSOPInstanceUID)};
    if (item.sop_class_uid.empty() || item.sop_instance_uid.empty())
      return Error(Code::invalid, "an instance without its class or UID");
    request.items.push_back(std::move(item));
  }
  return request;
}

std::optional<NAnswer> wrong_target(const T_DIMSE_N_ActionRQ& request) {
  if (command_uid(request.RequestedSOPClassUID) != UID_StorageCommitmentPushModelSOPClass)
    return NAnswer{kNoSuchClass, "only storage commitment takes actions here"};
  if (command_uid(request.RequestedSOPInstanceUID) != UID_StorageCommitmentPushModelSOPInstance)
    return NAnswer{kNoSuchInstance, "not the well-known storage commitment instance"};
  if (request.ActionTypeID != kRequestCommitment)
    return NAnswer{kNoSuchAction, "the only action is 1, request storage commitment"};
  return std::nullopt;
}

NAnswer answer_for(const Error& error) {
  if (error.code() == Code::invalid) return {kInvalidArgument, error.message()};
  if (error.code() == Code::exists) return {kProcessingFailure, error.message()};
  return {kProcessingFailure, refusal_for(error.code()).comment};
}

core::Status keep(const sync::HoldingsDoor& door, const sync::CommitmentRequest& request,
                  const core::Clock& clock) {
  const std::shared_ptr<sync::Holdings> holdings = door.get();
  if (!holdings) return Error(Code::locked, "the gateway is locked");
  return holdings->database().write([&](crypto::Connection& connection) -> core::Status {
    GW_CHECK(sync::record_commitment(connection, request, core::to_instant(clock.wall())));
    return holdings->audit().append(
        connection, {.at = clock.wall(),
                     .actor = core::cat("ae:", request.calling_ae_title),
                     .action = "commit",
                     .resource = core::cat("commitment/", request.items.size(), " instances"),
                     .patient = "",
                     .source = request.peer_address,
                     .outcome = "asked"});
  });
}

/// Nothing: the association broke.
std::optional<NAnswer> take(Association& association, T_ASC_PresentationContextID context,
                            const T_DIMSE_N_ActionRQ& request, const sync::HoldingsDoor& door,
                            const core::Clock& clock) {
  core::Result<std::string> bytes = std::string();
  if (request.DataSetType != DIMSE_DATASET_NULL) {
    bytes = receive_command_data_set(association, context, kRequestBytesMax);
    if (!bytes.ok() && bytes.error().code() == Code::unavailable) {
      association.abort();
      return std::nullopt;
    }
  }
  if (auto wrong = wrong_target(request)) return wrong;
  if (!bytes.ok()) return answer_for(bytes.error());
  auto asked = read_request(*bytes, association.context(context).transfer_syntax);
  if (!asked.ok()) return answer_for(asked.error());
  asked->calling_ae_title = association.calling_title();
  asked->called_ae_title = association.called_title();
  asked->peer_address = association.peer().address();
  const core::Status kept = keep(door, *asked, clock);
  return kept.ok() ? NAnswer{} : answer_for(kept.error());
}

}  // namespace

bool serve_commitment_request(Association& association, T_ASC_PresentationContextID context,
                              const T_DIMSE_N_ActionRQ& request, const sync::HoldingsDoor& door,
                              const core::Clock& clock, Traffic& traffic) {
  const auto answer = take(association, context, request, door, clock);
  if (!answer) return false;
  if (answer->status == kSuccess) {
    ++traffic.commitments_asked;
  } else {
    ++traffic.refused;
    core::log_warn("dicom",
                   core::cat("storage commitment request of ", association.calling_title(), " at ",
                             association.peer().address(), " refused: ", answer->comment));
  }
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_ACTION_RSP;
  T_DIMSE_N_ActionRSP& response = message.msg.NActionRSP;
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.ActionTypeID = request.ActionTypeID;
  response.DimseStatus = answer->status;
  response.DataSetType = DIMSE_DATASET_NULL;
  response.opts =
      O_NACTION_AFFECTEDSOPCLASSUID | O_NACTION_AFFECTEDSOPINSTANCEUID | O_NACTION_ACTIONTYPEID;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.RequestedSOPClassUID,
                      sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.RequestedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  return send_n_answer(*association.handle(), context, message, *answer);
}

}  // namespace gateway::adapters::dicom
