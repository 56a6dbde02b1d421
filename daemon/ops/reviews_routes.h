// What the control socket answers about reviews (sync/review.h):
//
//   GET  /v1/reviews        {"reviews":[...]}: open ones first, oldest first, at most 200
//   GET  /v1/reviews/N      one with every decided group and the versions side by side
//   POST /v1/reviews/N      {"take":"ours|theirs|merged","groups":["identity"]} -> the review as it
//                           is then; without groups every asked one. Or, all at once, a side for
//                           each: {"choices":{"identity":"theirs","contact":"ours"}}
//
// With patients. `actor` decides, for the audit trail. Blocking: called off the loop.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kReviewRoutes = "/v1/reviews";

core::Result<core::Json> answer_reviews(sync::Holdings& holdings, const core::Clock& clock,
                                        std::string_view method, std::string_view path,
                                        const std::string& body, const std::string& actor);

}  // namespace gateway::daemon
