// What the control socket answers about reviews (sync/review.h):
//
//   GET  /v1/reviews        {"reviews":[...]}: open ones first, oldest first, at most 200
//   GET  /v1/reviews/N      one with every decided group and the versions side by side
//   POST /v1/reviews/N      -> the review as it is then. What to make of it:
//        {"take":"ours|theirs|merged|held","groups":["identity"]}: without groups of every asked
//        one, of all where none is asked. "held": as it is held now. Or a side for each,
//        {"choices":{"identity":"theirs","contact":"ours"}}, and elements of one's own,
//        {"edit":{"identity":{"birthDate":"2001-11-15","gender":null}}}: these are set in what is
//        held now of the group, null takes one out. Answered 409, and nothing is done, where a
//        group was changed since ("is_stale", "now"), unless "seen" is the "held_version" the
//        person has looked at.
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
