#include "adapters/dicom/find_answers.h"

#include <dcmtk/dcmdata/dctk.h>

#include "adapters/dicom/command_data_set.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::dicom {

using core::Code;
using core::Error;

Cancel check_cancel(Association& association, T_ASC_PresentationContextID context,
                    std::uint16_t message_id) {
  const OFCondition cond = DIMSE_checkForCancelRQ(association.handle(), context, message_id);
  if (cond.good()) return Cancel::asked;
  return cond == DIMSE_NODATAAVAILABLE ? Cancel::none : Cancel::broken;
}

core::Result<std::string> FindAnswers::receive_identifier() {
  if (request_.DataSetType == DIMSE_DATASET_NULL)
    return Error(Code::invalid, "it has no identifier");
  auto bytes = receive_command_data_set(association_, context_, kIdentifierBytesMax);
  if (!bytes.ok() && bytes.error().code() == Code::unavailable) association_.abort();
  return bytes;
}

FindAnswers::Sent FindAnswers::send_match(DcmDataset& identifier, bool all_keys_supported) {
  switch (check_cancel(association_, context_, request_.MessageID)) {
    case Cancel::none:
      break;
    case Cancel::asked:
      return send(kCancelled, nullptr, "") ? Sent::cancelled : Sent::broken;
    case Cancel::broken:
      association_.abort();
      return Sent::broken;
  }
  return send(all_keys_supported ? kPending : kPendingUnsupportedKeys, &identifier, "")
             ? Sent::yes
             : Sent::broken;
}

bool FindAnswers::finish(std::uint16_t status, const std::string& comment) {
  return send(status, nullptr, comment);
}

bool FindAnswers::refuse(const Error& error, Traffic& traffic) {
  const Refusal refusal = query_refusal(error);
  core::log_warn("dicom", core::cat("query from ", association_.calling_title(), " at ",
                                    association_.peer().address(), " refused: ", error.message()));
  ++traffic.refused;
  return finish(refusal.status, refusal.comment);
}

bool FindAnswers::send(std::uint16_t status, DcmDataset* identifier, const std::string& comment) {
  T_DIMSE_C_FindRSP response{};
  response.DimseStatus = status;
  response.DataSetType = identifier == nullptr ? DIMSE_DATASET_NULL : DIMSE_DATASET_PRESENT;
  DcmDataset detail;
  if (!comment.empty()) (void)detail.putAndInsertString(DCM_ErrorComment, comment.c_str());
  return DIMSE_sendFindResponse(association_.handle(), context_, &request_, &response, identifier,
                                comment.empty() ? nullptr : &detail)
      .good();
}

Refusal query_refusal(const Error& error) {
  switch (error.code()) {
    case Code::invalid:
      return {kDoesNotMatch, "the gateway cannot read this query"};
    case Code::locked:
    case Code::busy:
    case Code::no_space:
      return refusal_for(error.code());
    default:
      return {kCannotUnderstand, "the gateway could not process this query: see its log"};
  }
}

}  // namespace gateway::adapters::dicom
