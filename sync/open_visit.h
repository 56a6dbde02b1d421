// The visit that a message tells of without naming it: a sender that gives its visits no numbers
// means the one that is open.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// Why such a message waits for a person.
inline constexpr std::string_view kNoOpenVisit =
    "it gives its visit no number (PV1-19, PV1-50, PID-18), and the patient does not have exactly "
    "one open visit of this device: have the sender number its visits; assigned to the patient it "
    "becomes a visit of its own";

/// The id of the patient's only Encounter that is neither finished nor cancelled and whose newest
/// version came from this device; nothing where there is none, or several. `patient`: an id.
core::Result<std::optional<std::string>> find_open_visit(crypto::Connection& connection,
                                                         const std::string& device,
                                                         const std::string& patient);

}  // namespace gateway::sync
