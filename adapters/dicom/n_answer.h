// How the normalized services (N-CREATE, N-SET, N-ACTION) answer: status, Error Comment, Error ID
// (PS3.7 C.5 and 10.1). Internal to adapters/dicom.
#pragma once

#include <cstdint>
#include <string>

#include "adapters/dicom/association.h"
#include "adapters/dicom/refusal.h"

namespace gateway::adapters::dicom {

inline constexpr std::uint16_t kInvalidAttributeValue = 0x0106;
inline constexpr std::uint16_t kDuplicateInstance = 0x0111;
inline constexpr std::uint16_t kNoSuchInstance = 0x0112;
inline constexpr std::uint16_t kInvalidArgument = 0x0115;
inline constexpr std::uint16_t kNoSuchClass = 0x0118;
inline constexpr std::uint16_t kNoSuchAction = 0x0123;

struct NAnswer {
  std::uint16_t status = kSuccess;
  std::string comment;         // cut to the 64 characters it may have; no patient data
  std::uint16_t error_id = 0;  // (0000,0903); 0: none
};

/// Sends `response`, whose command field and body are complete. False: the association broke.
bool send_n_answer(T_ASC_Association& association, T_ASC_PresentationContextID context,
                   T_DIMSE_Message& response, const NAnswer& answer);

/// A UID as it stands in a command, without padding.
std::string command_uid(const DIC_UI& uid);

}  // namespace gateway::adapters::dicom
