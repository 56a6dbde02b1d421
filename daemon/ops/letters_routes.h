// What the control socket answers about messages that wait for a person (sync/intake.h):
//
//   GET  /v1/letters     {"letters":[...],"gaps":[...]}: oldest first, at most 200, and what no map
//                        covers
//   GET  /v1/letters/N   one with its text as it came; of one without a patient "suggestions"
//                        (sync/patient_suggestions.h), which assign nothing
//   GET  /v1/letters/samples        what monitors said and nobody sends on, counted per device
//   GET  /v1/letters/samples/NAME   {"messages":[{"received_at","text"}]}: its newest 1,000
//   POST /v1/letters/N   {"patient":"ID"} or {}: worked on again -> {"state","reason"}; who asked
//                        for it is in the audit trail before it is done
//   POST /v1/letters     {"device":"NAME","reason":"PART","after":N}, all of them optional: a page
//   of
//                        those it names is worked on again, the oldest behind N first, each as
//                        above -> {"tried","stored","unassigned","dead","failed","why","next"}:
//                        `why` is the first failure's, `next` the N of the page behind, null at the
//                        end
//
// With patients. Blocking: called off the loop.
#pragma once

#include <string>
#include <string_view>

#include "adapters/decoder.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kLetterRoutes = "/v1/letters";

core::Result<core::Json> answer_letters(sync::Holdings& holdings, const core::Clock& clock,
                                        const adapters::Decoders& decoders, std::string_view method,
                                        std::string_view path, const std::string& body,
                                        const Caller& caller);

}  // namespace gateway::daemon
