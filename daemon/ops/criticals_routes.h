// What the control socket answers about critical results (sync/critical_results.h):
//
//   GET  /v1/criticals     {"criticals":[...]}: those nobody has acknowledged
//   POST /v1/criticals/N   somebody has taken note -> {"number"}; who is in the audit trail
//
// With patients. Blocking: called off the loop.
#pragma once

#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kCriticalRoutes = "/v1/criticals";

core::Result<core::Json> answer_criticals(sync::Holdings& holdings, const core::Clock& clock,
                                          std::string_view method, std::string_view path,
                                          const Caller& caller);

}  // namespace gateway::daemon
