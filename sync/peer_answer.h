// What an HTTP peer's failure means for the rows that were on their way to it; shared by all HTTP
// uplinks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/net/http.h"
#include "core/result.h"
#include "sync/uplink.h"

namespace gateway::sync {

/// The outcome of a row whose request ended in an error of the HTTP client.
RowOutcome outcome_of_error(std::int64_t number, const core::Error& error);

/// Non-empty when the answer says that the peer is not doing its work at all just now, or is not
/// the peer we mean: credentials refused (401, 403; of a FHIR server see also is_forbidden() in
/// sync/fhir_endpoint.h), too many requests or maintenance (429, 503), a proxy's error (407, 502,
/// 504), or a page instead of data. For people.
std::string not_serving(const core::net::HttpResponse& answer, std::string_view wanted_type);

/// The error of an answer of none of the statuses that were hoped for, while `doing` something:
/// Code::lost_answer where the server itself failed at it (408, 5xx) and may not the next time,
/// else Code::invalid.
core::Error unhoped_answer(std::string_view doing, unsigned status);

/// Retry-After in seconds, at most an hour; a date is not followed (the box's clock may be wrong).
std::optional<core::Milliseconds> retry_after(const core::net::HttpResponse& answer);

}  // namespace gateway::sync
