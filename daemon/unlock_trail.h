// The audit trail's rows of an unlock.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "daemon/opening.h"
#include "sync/holdings.h"

namespace gateway::daemon {

/// The unlock, and what was refused before it, when there was no trail to write to. Returns at
/// once; a row that cannot be written is logged. `by`: as in Opening::Opened.
void record_unlock(sync::Holdings& holdings, const std::vector<Refusal>& refusals,
                   const std::string& by, core::Wall now);

}  // namespace gateway::daemon
