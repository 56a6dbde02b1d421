// What the control socket answers about the day's work: sending refused items again, what
// modalities are offered, and when each device was last heard. Blocking: called off the loop.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

/// {"retried":K}, durable and in the audit trail; number 0: every parked item. Code::not_found.
core::Result<core::Json> answer_retry(sync::Holdings& holdings, const core::Clock& clock,
                                      std::int64_t number, const Caller& caller);
/// {"pinned":...}: sync::pin_study().
core::Result<core::Json> answer_pin(sync::Holdings& holdings, const core::Clock& clock,
                                    const std::string& study_uid, bool pinned);
/// {"worklist": sync::worklist_report()} from yesterday (UTC) on: today in every zone.
core::Result<core::Json> answer_worklist(sync::Holdings& holdings, const core::Clock& clock,
                                         std::int64_t limit);
/// {"devices":[{"name":"ae:CT1","last_seen"}]}, at most 500 of a kind.
core::Result<core::Json> answer_last_seen(sync::Holdings& holdings);

}  // namespace gateway::daemon
