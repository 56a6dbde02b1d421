#include "adapters/dicom/n_answer.h"

#include <dcmtk/dcmdata/dctk.h>

#include <cstring>

#include "core/text.h"

namespace gateway::adapters::dicom {

bool send_n_answer(T_ASC_Association& association, T_ASC_PresentationContextID context,
                   T_DIMSE_Message& response, const NAnswer& answer) {
  constexpr std::size_t kCommentMax = 64;
  DcmDataset detail;
  if (!answer.comment.empty())
    (void)detail.putAndInsertString(DCM_ErrorComment,
                                    answer.comment.substr(0, kCommentMax).c_str());
  if (answer.error_id != 0) (void)detail.putAndInsertUint16(DCM_ErrorID, answer.error_id);
  return DIMSE_sendMessageUsingMemoryData(&association, context, &response,
                                          detail.isEmpty() ? nullptr : &detail, nullptr, nullptr,
                                          nullptr)
      .good();
}

std::string command_uid(const DIC_UI& uid) {
  return std::string(core::trim(std::string_view(uid, std::strlen(uid))));
}

}  // namespace gateway::adapters::dicom
