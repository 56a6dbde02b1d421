// DICOMweb STOW-RS (PS3.18 10.5) as messages: what a store's answer says of each instance. Pure.
#pragma once

#include <map>
#include <string>

#include "core/json.h"

namespace gateway::sync {

enum class StowVerdict { stored, already_there, try_later, refused };

struct StowInstance {
  StowVerdict verdict = StowVerdict::stored;
  unsigned reason = 0;  // (0008,1197) Failure Reason, 0 when none
};

/// Verdict per SOP Instance UID named by a Store Instances Response (DICOM JSON, PS3.18 F). An
/// instance not named in it is absent: its fate must be read back. Failure reasons by PS3.18 10.5.3
/// and PS3.4 B.2.3.
std::map<std::string, StowInstance> read_stow_answer(const core::Json& dataset);

}  // namespace gateway::sync
