#include "adapters/dicom/mpps_scp.h"

#include <optional>

#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/mpps_attributes.h"
#include "adapters/dicom/n_answer.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;

// A step of a large study lists some thousand instances, 150 bytes each.
constexpr std::size_t kStepBytesMax = 8U << 20;

constexpr std::uint16_t kMayNoLongerBeUpdated = 0xa506;  // PS3.4 F.7.2.2.2, beside 0110H

NAnswer answer_for(sync::StepOutcome outcome) {
  switch (outcome) {
    case sync::StepOutcome::recorded:
    case sync::StepOutcome::repeated:
      return {};
    case sync::StepOutcome::exists:
      return {kDuplicateInstance, "a step with this UID was created before"};
    case sync::StepOutcome::unknown:
      return {kNoSuchInstance, "no step with this UID was created here"};
    case sync::StepOutcome::ended:
      return {kProcessingFailure, "the step has ended and may no longer be updated",
              kMayNoLongerBeUpdated};
    case sync::StepOutcome::not_a_status:
      break;
  }
  return {kInvalidAttributeValue, "the performed procedure step status is none"};
}

class StepScp {
 public:
  StepScp(Association& association, T_ASC_PresentationContextID context,
          const sync::HoldingsDoor& door, Traffic& traffic)
      : association_(association), context_(context), door_(door), traffic_(traffic) {}

  /// What to answer; nothing: the association broke. Fills in a missing UID.
  std::optional<NAnswer> take(bool is_new, const std::string& sop_class, std::string& uid,
                              bool has_data_set) {
    core::Result<std::string> bytes = std::string();
    if (has_data_set) {
      bytes = receive_command_data_set(association_, context_, kStepBytesMax);
      if (!bytes.ok() && bytes.error().code() == Code::unavailable) {
        association_.abort();
        return std::nullopt;
      }
    }
    if (sop_class != UID_ModalityPerformedProcedureStepSOPClass)
      return refused({kNoSuchClass, "only performed procedure steps are created here"}, sop_class);
    if (!bytes.ok()) return refused({kProcessingFailure, bytes.error().message()}, "");
    return record(is_new, uid, std::move(*bytes));
  }

 private:
  NAnswer record(bool is_new, std::string& uid, std::string bytes) {
    const std::string syntax = association_.context(context_).transfer_syntax;
    auto data_set = parse_data_set(bytes, DcmXfer(syntax.c_str()).getXfer());
    if (!data_set.ok()) return refused({kProcessingFailure, data_set.error().message()}, "");
    StepAttributes attributes = read_step_attributes(**data_set, is_new);
    sync::PerformedStepMessage message;
    message.is_new = is_new;
    message.remarks = std::move(attributes.remarks);
    if (uid.empty()) {
      // The SCP may name what the SCU did not (PS3.7 10.1.5.1.3); an N-SET must say which.
      if (!is_new) return refused({kNoSuchInstance, "the message names no step"}, "");
      uid = core::uid_from_uuid(core::new_uuid());
      message.remarks +=
          message.remarks.empty() ? "named by the gateway" : ", named by the gateway";
    }
    message.sop_instance_uid = uid;
    message.attributes = std::move(attributes.members);
    message.transfer_syntax_uid = syntax;
    message.data_set = std::move(bytes);
    message.calling_ae_title = association_.calling_title();
    message.peer_address = association_.peer().address();
    return commit(message);
  }

  NAnswer commit(const sync::PerformedStepMessage& message) {
    const std::shared_ptr<sync::Holdings> holdings = door_.get();
    if (!holdings) return refused({kProcessingFailure, refusal_for(Code::locked).comment}, "");
    const auto outcome = holdings->ingest().record(message);
    if (!outcome.ok()) {
      Refusal refusal = refusal_for(outcome.error().code());
      return refused({kProcessingFailure, refusal.comment}, outcome.error().message());
    }
    NAnswer answer = answer_for(*outcome);
    if (answer.status != kSuccess) return refused(answer, "");
    ++traffic_.steps;
    if (!message.remarks.empty()) {
      core::log_info("dicom", core::cat(message.is_new ? "N-CREATE" : "N-SET", " of ", caller(),
                                        " taken as it was: ", message.remarks));
    }
    return answer;
  }

  NAnswer refused(NAnswer answer, const std::string& detail) {
    ++traffic_.refused;
    core::log_warn("dicom", core::cat("performed procedure step of ", caller(), " refused: ",
                                      answer.comment, detail.empty() ? "" : ": ", detail));
    return answer;
  }

  std::string caller() const {
    return core::cat(association_.calling_title(), " at ", association_.peer().address());
  }

  Association& association_;
  T_ASC_PresentationContextID context_;
  const sync::HoldingsDoor& door_;
  Traffic& traffic_;
};

}  // namespace

bool serve_step_create(Association& association, T_ASC_PresentationContextID context,
                       const T_DIMSE_N_CreateRQ& request, const sync::HoldingsDoor& door,
                       Traffic& traffic) {
  const bool is_named = (request.opts & O_NCREATE_AFFECTEDSOPINSTANCEUID) != 0;
  std::string uid = is_named ? command_uid(request.AffectedSOPInstanceUID) : std::string();
  const auto answer = StepScp(association, context, door, traffic)
                          .take(true, command_uid(request.AffectedSOPClassUID), uid,
                                request.DataSetType != DIMSE_DATASET_NULL);
  if (!answer) return false;
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_CREATE_RSP;
  T_DIMSE_N_CreateRSP& response = message.msg.NCreateRSP;
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.DimseStatus = answer->status;
  response.DataSetType = DIMSE_DATASET_NULL;
  response.opts = O_NCREATE_AFFECTEDSOPCLASSUID | O_NCREATE_AFFECTEDSOPINSTANCEUID;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID,
                      sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, uid.c_str(),
                      sizeof response.AffectedSOPInstanceUID);
  return send_n_answer(*association.handle(), context, message, *answer);
}

bool serve_step_set(Association& association, T_ASC_PresentationContextID context,
                    const T_DIMSE_N_SetRQ& request, const sync::HoldingsDoor& door,
                    Traffic& traffic) {
  std::string uid = command_uid(request.RequestedSOPInstanceUID);
  const auto answer = StepScp(association, context, door, traffic)
                          .take(false, command_uid(request.RequestedSOPClassUID), uid,
                                request.DataSetType != DIMSE_DATASET_NULL);
  if (!answer) return false;
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_SET_RSP;
  T_DIMSE_N_SetRSP& response = message.msg.NSetRSP;
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.DimseStatus = answer->status;
  response.DataSetType = DIMSE_DATASET_NULL;
  response.opts = O_NSET_AFFECTEDSOPCLASSUID | O_NSET_AFFECTEDSOPINSTANCEUID;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.RequestedSOPClassUID,
                      sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.RequestedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  return send_n_answer(*association.handle(), context, message, *answer);
}

}  // namespace gateway::adapters::dicom
