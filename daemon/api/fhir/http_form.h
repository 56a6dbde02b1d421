// Between HTTP (R4 3.1.0) and FhirRequest, FhirResponse. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/net/http.h"
#include "daemon/api/fhir/exchange.h"

namespace gateway::daemon::fhir {

inline constexpr std::size_t kBodyMax = 16u << 20;  // of a request, packed or not

struct ReadRequest {
  FhirRequest request;
  std::optional<FhirResponse> refused;  // then `request` is not to be used
};

/// The request line and headers: what can be said before the body is looked at.
ReadRequest read_head(const core::net::HttpRequest& http);
/// The body, unpacked and parsed, into `request`; a refusal where it is not one this server takes.
std::optional<FhirResponse> read_body(const core::net::HttpRequest& http, FhirRequest& request);

/// First header of that name, case-insensitive; empty when absent.
std::string_view header_of(const core::net::Headers& headers, std::string_view name);

/// `base` is what stands before /Type in URLs. Packs what is worth it where the client takes gzip.
core::net::HttpResponse to_http(FhirResponse response, const std::string& base,
                                const core::net::Headers& asked);

/// What the HTTP layer refuses by itself, as an OperationOutcome.
core::net::HttpResponse refused_by_http(int status, std::string_view text);

/// "https://" and the Host header; a Host that is none is answered as localhost.
std::string origin_of(const core::net::HttpRequest& http);
/// The same with kBasePath.
std::string base_of(const core::net::HttpRequest& http);

}  // namespace gateway::daemon::fhir
