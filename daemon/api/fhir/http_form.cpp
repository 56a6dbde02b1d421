#include "daemon/api/fhir/http_form.h"

#include <algorithm>

#include "core/gzip.h"
#include "core/text.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Json;
using core::net::Headers;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::size_t kDepthMax = 50;
constexpr std::size_t kPackFrom = 1'400;  // less fits into one segment anyway

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_json_type(std::string_view type) {
  type = core::trim(type.substr(0, type.find(';')));
  return type == kFhirJson || type == "application/json" || type == "json" || type == "text/json" ||
         type == "application/fhir json";  // a plus in a query is a blank
}

/// What the client wants to read: JSON, or anything.
bool takes_json(std::string_view accept, const sync::QueryPairs& query) {
  for (const auto& [name, value] : query) {
    if (name == "_format") return is_json_type(value);
  }
  if (core::trim(accept).empty()) return true;
  return contains(accept, "json") || contains(accept, "*/*") || contains(accept, "application/*");
}

void read_prefer(std::string_view prefer, FhirRequest& request) {
  request.strict = contains(prefer, "handling=strict");
  if (contains(prefer, "return=minimal")) request.want = Want::minimal;
  if (contains(prefer, "return=representation")) request.want = Want::representation;
  if (contains(prefer, "return=OperationOutcome")) request.want = Want::outcome;
}

bool has_body(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

FhirResponse wrong_type(std::string_view wanted) {
  return refusal(
      415, "not-supported",
      cat("the body must be ", wanted, " (say so in Content-Type); XML is not spoken here"));
}

FhirResponse refused_packing(const core::Error& error) {
  const bool too_large = error.code() == core::Code::refused;
  return refusal(too_large ? 413 : 400, too_large ? "too-costly" : "structure",
                 cat("the body's gzip: ", error.message()));
}

std::optional<FhirResponse> read_form(const std::string& body, FhirRequest& request) {
  auto pairs = sync::parse_query_pairs(body);
  if (!pairs.ok()) return refusal_of(pairs.error());
  request.query.insert(request.query.end(), pairs->begin(), pairs->end());
  return std::nullopt;
}

}  // namespace

std::string_view header_of(const Headers& headers, std::string_view name) {
  const std::string wanted = core::to_lower_ascii(name);
  for (const auto& [given, value] : headers) {
    if (core::to_lower_ascii(given) == wanted) return value;
  }
  return {};
}

std::string origin_of(const HttpRequest& http) {
  const std::string_view host = header_of(http.headers, "Host");
  const bool good =
      !host.empty() && host.size() <= 260 && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               contains("-._:[]", std::string_view(&c, 1));
      });
  return cat("https://", good ? host : "localhost");
}

std::string base_of(const HttpRequest& http) { return origin_of(http) + kBasePath; }

ReadRequest read_head(const HttpRequest& http) {
  ReadRequest out;
  std::string_view target = http.target;
  const auto question = target.find('?');
  std::string_view path = target.substr(0, question);
  constexpr std::string_view kBase = kBasePath;
  if (!path.starts_with(kBase) || (path.size() > kBase.size() && path[kBase.size()] != '/')) {
    out.refused = refusal(404, "not-found", cat("the API is below ", kBasePath));
    return out;
  }
  path.remove_prefix(kBase.size());
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  FhirRequest& request = out.request;
  request.method = http.method;
  request.path = path;
  if (question != std::string_view::npos) {
    auto pairs = sync::parse_query_pairs(target.substr(question + 1));
    if (!pairs.ok()) {
      out.refused = refusal_of(pairs.error());
      return out;
    }
    request.query = std::move(*pairs);
  }
  request.if_match = header_of(http.headers, "If-Match");
  request.if_none_match = header_of(http.headers, "If-None-Match");
  request.if_none_exist = header_of(http.headers, "If-None-Exist");
  request.if_modified_since = header_of(http.headers, "If-Modified-Since");
  read_prefer(header_of(http.headers, "Prefer"), request);
  if (!takes_json(header_of(http.headers, "Accept"), request.query)) {
    out.refused =
        refusal(406, "not-supported", cat("answers are ", kFhirJson, "; XML is not spoken here"));
    return out;
  }
  // They are about the answer, and no condition.
  std::erase_if(request.query, [](const auto& pair) {
    return pair.first == "_format" || pair.first == "_pretty";
  });
  return out;
}

std::optional<FhirResponse> read_body(const HttpRequest& http, FhirRequest& request) {
  if (!has_body(request.method)) return std::nullopt;
  std::string unpacked;
  const std::string encoding = core::to_lower_ascii(header_of(http.headers, "Content-Encoding"));
  const bool packed = encoding == "gzip";
  if (packed) {
    auto text = core::gunzip(http.body, kBodyMax);
    if (!text.ok()) return refused_packing(text.error());
    unpacked = std::move(*text);
  } else if (!encoding.empty() && encoding != "identity") {
    return refusal(415, "not-supported", "Content-Encoding must be gzip or none");
  }
  const std::string& body = packed ? unpacked : http.body;
  std::string_view type = header_of(http.headers, "Content-Type");
  if (request.path.ends_with("/_search")) {
    if (body.empty()) return std::nullopt;
    if (!type.starts_with("application/x-www-form-urlencoded"))
      return wrong_type("application/x-www-form-urlencoded");
    return read_form(body, request);
  }
  const bool patch = request.method == "PATCH";
  if (patch && !type.starts_with("application/json-patch+json"))
    return wrong_type("application/json-patch+json");
  if (!patch && !is_json_type(type)) return wrong_type(kFhirJson);
  auto parsed = Json::parse(body, kDepthMax);
  if (!parsed.ok()) return refusal(400, "structure", parsed.error().message());
  request.body = std::move(*parsed);
  return std::nullopt;
}

HttpResponse refused_by_http(int status, std::string_view text) {
  const auto code = [status] {
    switch (status) {
      case 400:
        return "structure";
      case 413:
        return "too-costly";
      case 431:
        return "too-long";
      case 503:
        return "transient";
      default:
        return "exception";
    }
  };
  return to_http(refusal(status, code(), std::string(text)), "", {});
}

HttpResponse to_http(FhirResponse response, const std::string& base, const Headers& asked) {
  HttpResponse http;
  http.status = response.status;
  http.headers.emplace_back("Cache-Control", "no-store");
  if (response.version > 0) http.headers.emplace_back("ETag", cat("W/\"", response.version, "\""));
  if (!response.at.empty()) http.headers.emplace_back("Last-Modified", http_date(response.at));
  if (!response.location.empty())
    http.headers.emplace_back("Location", cat(base, "/", response.location));
  if (response.status == 503) http.headers.emplace_back("Retry-After", "5");
  if (!response.allow.empty()) http.headers.emplace_back("Allow", response.allow);
  if (response.status == 401)
    http.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"clinic-gateway\"");
  if (response.body.is_null()) return http;
  http.headers.emplace_back("Content-Type", cat(kFhirJson, "; charset=utf-8"));
  http.body = response.body.dump();
  if (http.body.size() >= kPackFrom && contains(header_of(asked, "Accept-Encoding"), "gzip")) {
    http.body = core::gzip(http.body);
    http.headers.emplace_back("Content-Encoding", "gzip");
    http.headers.emplace_back("Vary", "Accept-Encoding");
  }
  return http;
}

}  // namespace gateway::daemon::fhir
