// Pinned studies: a person wants their bytes to stay on this gateway.
#pragma once

#include <string>

#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::sync {

/// Durable, and in the audit trail. Code::not_found when no such study is known.
core::Status pin_study(Holdings& holdings, const core::Clock& clock, const std::string& study_uid,
                       bool pinned);

}  // namespace gateway::sync
