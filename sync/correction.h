// Which held result a correction is of, where the ids that are made of what it tells meet nothing
// (CLINICAL.md, Results): its test may be worded otherwise than before, its device left away, its
// patient another record of the same person. Its order says which report it belongs to, code and
// system say which of that report's results. Inside the caller's transaction.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/incoming_message.h"

namespace gateway::sync {

/// Why an edit waits of which nothing is held for the patient it names.
inline constexpr std::string_view kEditOfNothing =
    "it changes something that was sent before, which is not held for this patient: look whether "
    "that stands in another patient's record, withdraw it there, then assign this one";

/// Both empty: nothing that is held is meant, the sender tells of it for the first time.
struct Original {
  std::string id;            // of the held resource
  std::string held_because;  // it cannot be told: a person has to look. No patient data.
};

/// `place`: of the correction among the message's drafts, whose ids are `ids`; `patient`: whose the
/// message is.
core::Result<Original> find_original(crypto::Connection& connection, const IncomingMessage& message,
                                     std::size_t place, const std::vector<std::string>& ids,
                                     const std::string& patient);

}  // namespace gateway::sync
