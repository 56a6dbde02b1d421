// The visit that a message tells of without naming it: a sender that gives its visits no numbers
// means the one that is open, or with the cancellation of a discharge the one it closed last.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/draft.h"

namespace gateway::sync {

/// Why such a message waits for a person.
inline constexpr std::string_view kNoOpenVisit =
    "it gives its visit no number (PV1-19, PV1-50, PID-18), and the patient does not have exactly "
    "one open visit of this device: have the sender number its visits; assigned to the patient it "
    "becomes a visit of its own";

/// The id of the patient's Encounter that an Encounter without a number is about, among those whose
/// newest version came from this device; nothing where there is none, or more than one might be.
/// `patient`: an id. `draft`: its `visit` is not VisitMeant::seeded.
///
/// Open: the only one that is going on, else the only one that is not over, and never one that
/// began at another time than the draft says. Where there is none: the finished one whose end the
/// draft repeats. Closed: the finished one that ended last.
core::Result<std::optional<std::string>> find_visit_meant(crypto::Connection& connection,
                                                          const std::string& device,
                                                          const std::string& patient,
                                                          const Draft& draft);

}  // namespace gateway::sync
