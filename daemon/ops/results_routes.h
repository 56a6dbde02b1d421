// What the control socket answers about results that wait for a person's release
// (sync/release.h):
//
//   GET  /v1/results                         what waits, by the message that told it
//   POST /v1/results/N   {"by":"Dr. A. Roe"} releases what message N told -> {"number",
//                                            "released":["Observation/ID",...]}
//
// An account of the console releases under its own name, whatever `by` says. With patients.
// Blocking: called off the loop.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kResultRoutes = "/v1/results";

core::Result<core::Json> answer_results(sync::Holdings& holdings, const core::Clock& clock,
                                        std::string_view method, std::string_view path,
                                        const std::string& body, const Caller& caller);

}  // namespace gateway::daemon
