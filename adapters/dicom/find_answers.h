// The answers to one C-FIND, on their way to the one who asked (PS3.7 9.1.2): pending ones, a
// C-CANCEL looked for in between, the final one. Internal to adapters/dicom.
#pragma once

#include <string>

#include "adapters/dicom/association.h"
#include "adapters/dicom/refusal.h"
#include "adapters/dicom/traffic.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

inline constexpr std::size_t kIdentifierBytesMax = 262'144;
inline constexpr std::uint16_t kPending = 0xff00;
inline constexpr std::uint16_t kPendingUnsupportedKeys = 0xff01;
inline constexpr std::uint16_t kCancelled = 0xfe00;

enum class Cancel { none, asked, broken };
/// Whether the peer has sent a C-CANCEL for the message; does not wait for one.
Cancel check_cancel(Association& association, T_ASC_PresentationContextID context,
                    std::uint16_t message_id);

class FindAnswers {
 public:
  FindAnswers(Association& association, T_ASC_PresentationContextID context,
              const T_DIMSE_C_FindRQ& request)
      : association_(association), context_(context), request_(request) {}

  /// Receives the identifier. Code::unavailable: the association broke, and was aborted;
  /// Code::invalid: there is none, or it is longer than kIdentifierBytesMax.
  core::Result<std::string> receive_identifier();

  enum class Sent { yes, cancelled, broken };
  /// `cancelled`: the final answer has gone out.
  Sent send_match(DcmDataset& identifier, bool all_keys_supported);
  /// The final answer. False: the association broke.
  bool finish(std::uint16_t status, const std::string& comment);
  /// The same for a query that cannot be answered, with a line in the log.
  bool refuse(const core::Error& error, Traffic& traffic);

 private:
  bool send(std::uint16_t status, DcmDataset* identifier, const std::string& comment);

  Association& association_;
  T_ASC_PresentationContextID context_;
  const T_DIMSE_C_FindRQ& request_;
};

/// Of a query that cannot be answered (PS3.4 C.4.1.1.4, K.4.1.1.4).
Refusal query_refusal(const core::Error& error);

}  // namespace gateway::adapters::dicom
