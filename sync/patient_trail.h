// Names for the audit trail: whose record a study or a resource is, and what left for an uplink.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "sync/outbox.h"

namespace gateway::sync {

struct TrailedStudy {
  std::string resource;  // "ImagingStudy/ID"
  std::string patient;   // "Patient/ID"; empty: linked to nobody yet
};
/// Code::not_found when no such study is known.
core::Result<TrailedStudy> trail_study(crypto::Connection& connection, std::string_view study_uid);

/// One row for each study and each resource of which the uplink took something, or had it already
/// because an earlier answer was lost; before
/// record_verdicts() forgets what the numbers stand for, in the same transaction.
core::Status trail_sent(crypto::Connection& connection, const crypto::Audit& audit,
                        const std::string& uplink, const std::vector<Verdict>& verdicts,
                        core::Wall now);

}  // namespace gateway::sync
