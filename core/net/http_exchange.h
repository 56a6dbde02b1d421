// One request and its answer on one open connection.
#pragma once

#include <cstdint>

#include "core/net/connection.h"
#include "core/net/http.h"

namespace gateway::core::net {

struct ExchangeLimits {
  Milliseconds idle_timeout;
  std::size_t response_max;
};

struct ExchangeOutcome {
  Result<HttpResponse> answer;
  bool reusable = false;        // the connection may carry another request
  bool closed_unheard = false;  // the peer closed before the first byte of an answer
  bool nothing_sent = false;    // not one byte of the request was taken
  bool source_touched = false;  // the request's source no longer stands at its beginning
};

/// Sends `head` and the body while listening, so that an early answer (413, 401) is heard. Errors
/// as in HttpClient, without the peer's name; an error of the source passes through and costs the
/// connection.
Awaitable<ExchangeOutcome> exchange(Connection& connection, const HttpRequest& request,
                                    const std::string& head, const ExchangeLimits& limits);

}  // namespace gateway::core::net
