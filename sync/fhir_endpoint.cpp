#include "sync/fhir_endpoint.h"

#include "core/gzip.h"
#include "core/text.h"
#include "sync/peer_answer.h"
#include "sync/refusal_class.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;
using core::net::HttpRequest;

// Less fits into one segment anyway.
constexpr std::size_t kPackFrom = 1'400;
constexpr std::size_t kAnswerMax = 64u << 20;  // unpacked

std::string version_of(const core::net::HttpResponse& answer, const core::Json& body) {
  if (std::string version = version_of_tag(answer.header("etag")); !version.empty()) return version;
  return std::string(body["meta"]["versionId"].text());
}

/// What not_serving() cannot know: an answer that no FHIR server gives to this request (R4 3.1).
/// Whose resource is not there or not to be made under our id, says so in an OperationOutcome.
std::string not_fhir(std::string_view method, const core::net::HttpResponse& answer,
                     const core::Json& body) {
  if (answer.status / 100 == 3) {
    return core::cat("the server answered ", answer.status,
                     ": it sends us elsewhere; check url of this uplink");
  }
  if (answer.status == 408) return "the server answered 408: the request took it too long";
  if (answer.status != 404 && answer.status != 405) return {};
  const bool asks_for_it = method == "DELETE" || method == "GET";
  const bool is_told = asks_for_it ? answer.body.empty() : method != "PUT";
  if (is_told || body["resourceType"].text() == "OperationOutcome") return {};
  return core::cat("the server answered ", answer.status,
                   " and not as a FHIR server does: it does not serve FHIR there; check url of "
                   "this uplink");
}

core::Status unpack(core::net::HttpResponse& response) {
  if (core::to_lower_ascii(response.header("content-encoding")) != "gzip") return {};
  GW_TRY(response.body, core::gunzip(response.body, kAnswerMax));
  return {};
}

}  // namespace

Awaitable<core::Result<FhirAnswer>> FhirEndpoint::read(ResourceKey key) {
  HttpRequest request;
  request.target = "/" + key.text();
  co_return co_await send(std::move(request), packs_);
}

Awaitable<core::Result<FhirAnswer>> FhirEndpoint::update(ResourceKey key, std::string body,
                                                         std::string if_match) {
  HttpRequest request;
  request.method = "PUT";
  request.target = "/" + key.text();
  request.headers = {{"Content-Type", "application/fhir+json"}, {"Prefer", "return=minimal"}};
  if (if_match.empty()) {
    request.headers.emplace_back("If-None-Match", "*");
  } else {
    request.headers.emplace_back("If-Match", core::cat("W/\"", if_match, "\""));
  }
  request.body = std::move(body);
  co_return co_await send(std::move(request), packs_);
}

Awaitable<core::Result<FhirAnswer>> FhirEndpoint::create(std::string type, std::string body,
                                                         std::string query) {
  HttpRequest request;
  request.method = "POST";
  request.target = "/" + type;
  request.headers = {{"Content-Type", "application/fhir+json"}, {"Prefer", "return=minimal"}};
  if (!query.empty()) request.headers.emplace_back("If-None-Exist", std::move(query));
  request.body = std::move(body);
  co_return co_await send(std::move(request), packs_);
}

Awaitable<core::Result<FhirAnswer>> FhirEndpoint::remove(ResourceKey key, std::string if_match) {
  HttpRequest request;
  request.method = "DELETE";
  request.target = "/" + key.text();
  if (!if_match.empty())
    request.headers.emplace_back("If-Match", core::cat("W/\"", if_match, "\""));
  co_return co_await send(std::move(request), packs_);
}

Awaitable<core::Result<FhirAnswer>> FhirEndpoint::post_bundle(std::string body,
                                                              std::optional<bool> packed) {
  HttpRequest request;
  request.method = "POST";
  request.target = "/";
  request.headers = {{"Content-Type", "application/fhir+json"}, {"Prefer", "return=minimal"}};
  request.body = std::move(body);
  co_return co_await send(std::move(request), packed.value_or(packs_));
}

Awaitable<core::Result<FhirAnswer>> FhirEndpoint::page(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  // HAPI keeps search results for a minute unless told not to.
  request.headers = {{"Cache-Control", "no-cache"}};
  co_return co_await send(std::move(request), packs_);
}

Awaitable<core::Result<std::shared_ptr<core::net::WebSocket>>> FhirEndpoint::open_socket(
    std::string path) {
  HttpRequest request;
  request.target = std::move(path);
  co_return co_await client_->open_socket(std::move(request));
}

Awaitable<core::Result<FhirAnswer>> FhirEndpoint::send(HttpRequest request, bool packed) {
  request.headers.emplace_back("Accept", "application/fhir+json");
  const std::string method = request.method;
  request.headers.emplace_back("Accept-Encoding", "gzip");
  if (packed && request.body.size() >= kPackFrom) {
    request.body = core::gzip(request.body);
    request.headers.emplace_back("Content-Encoding", "gzip");
  }
  GW_CO_TRY(core::net::HttpResponse response, co_await client_->send(std::move(request)));
  if (const core::Status unpacked = unpack(response); !unpacked.ok()) {
    co_return core::Error(core::Code::refused,
                          core::cat("an answer in gzip: ", unpacked.error().message()));
  }
  FhirAnswer answer;
  answer.status = response.status;
  answer.not_serving = sync::not_serving(response, "json");
  answer.retry_after = sync::retry_after(response);
  answer.date = response.header("date");
  if (auto body = core::Json::parse(response.body); body.ok()) answer.body = std::move(*body);
  if (is_forbidden(answer)) answer.not_serving.clear();
  if (answer.not_serving.empty()) answer.not_serving = not_fhir(method, response, answer.body);
  answer.version = version_of(response, answer.body);
  answer.id = id_of_location(response.header("location"));
  co_return answer;
}

bool is_forbidden(const FhirAnswer& answer) {
  return answer.status == 403 && answer.body["resourceType"].text() == "OperationOutcome";
}

std::string id_of_location(std::string_view location) {
  location = location.substr(0, location.find("/_history/"));
  const auto slash = location.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return {};
  const auto before = location.rfind('/', slash - 1);
  const auto key =
      parse_reference(location.substr(before == std::string_view::npos ? 0 : before + 1));
  return key ? key->id : std::string();
}

std::string version_of_tag(std::string_view tag) {
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  if (tag.size() < 2 || tag.front() != '"' || tag.back() != '"') return {};
  return std::string(tag.substr(1, tag.size() - 2));
}

std::string outcome_text(const FhirAnswer& answer) {
  std::string text = core::cat("the server answered ", answer.status, issue_codes(answer.body));
  for (const core::Json& issue : answer.body["issue"].items()) {
    const std::string_view said = !issue["diagnostics"].text().empty()
                                      ? issue["diagnostics"].text()
                                      : issue["details"]["text"].text();
    if (!said.empty()) text += core::cat("; ", said.substr(0, 500));
    // The element it is about; servers before R4 wrote its place as XPath.
    const core::Json& places =
        issue["expression"].items().empty() ? issue["location"] : issue["expression"];
    for (const core::Json& place : places.items())
      text += core::cat("; at ", place.text().substr(0, 200));
  }
  return text;
}

}  // namespace gateway::sync
