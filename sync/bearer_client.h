// A server that knows us by a token it gave once and for all (RFC 6750 2.1).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/net/http.h"

namespace gateway::sync {

/// True for what may stand behind "Bearer" (RFC 6750's b64token).
bool is_bearer_token(std::string_view text);

/// `server` with the token in every request.
std::shared_ptr<core::net::HttpClient> with_bearer(std::shared_ptr<core::net::HttpClient> server,
                                                   const std::string& token);

}  // namespace gateway::sync
