#include "daemon/api/fhir/exchange.h"

#include <algorithm>
#include <charconv>

#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::daemon::fhir {

using core::Json;

void Desk::note_read(std::string action, std::string resource, std::string patient) {
  constexpr std::size_t kQueryMax = 500;
  if (resource.size() > kQueryMax) resource.resize(kQueryMax);
  reads.push_back({.at = editing.clock.wall(),
                   .actor = editing.actor,
                   .action = std::move(action),
                   .resource = std::move(resource),
                   .patient = std::move(patient),
                   .source = editing.source,
                   .outcome = "success"});
}

Json outcome(std::string_view severity, std::string_view code, std::string_view text) {
  Json issue = Json::object({{"severity", severity}, {"code", code}, {"diagnostics", text}});
  Json body = Json::object({{"resourceType", "OperationOutcome"}});
  body.set("issue", Json::array({std::move(issue)}));
  return body;
}

FhirResponse refusal(int status, std::string_view code, std::string text) {
  FhirResponse response;
  response.status = status;
  response.body = outcome("error", code, text);
  return response;
}

FhirResponse refusal_of(const core::Error& error) {
  switch (error.code()) {
    case core::Code::invalid:
      return refusal(400, "invalid", error.message());
    case core::Code::not_found:
      return refusal(404, "not-found", error.message());
    case core::Code::refused:
      return refusal(422, "business-rule", error.message());
    case core::Code::locked:
      return refusal(503, "transient", error.message());
    case core::Code::busy:
      return refusal(503, "throttled", "the gateway is busy; try again");
    case core::Code::no_space:
      return refusal(503, "no-store", "the gateway's disk is full: nothing new is taken in");
    default:
      // What went wrong inside is for the log, not for a client.
      return refusal(500, "exception", "the gateway could not do it; see its log");
  }
}

core::Result<sync::QueryPairs> condition_of(std::string_view if_none_exist) {
  const auto question = if_none_exist.find('?');
  if (question < if_none_exist.find('=')) if_none_exist.remove_prefix(question + 1);
  return sync::parse_query_pairs(if_none_exist);
}

Json shown(Json body, std::int64_t version, std::string_view at) {
  Json meta = body["meta"];
  if (!meta.is_object()) meta = Json::object();
  meta.set("versionId", std::to_string(version));
  meta.set("lastUpdated", at);
  body.set("meta", std::move(meta));
  return body;
}

std::optional<std::int64_t> version_of_tag(std::string_view tag) {
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"')
    tag = tag.substr(1, tag.size() - 2);
  std::int64_t version = 0;
  const auto [end, code] = std::from_chars(tag.data(), tag.data() + tag.size(), version);
  if (code != std::errc() || end != tag.data() + tag.size()) return std::nullopt;
  return version;
}

bool NamedVersions::names(std::int64_t version) const {
  return any || std::find(versions.begin(), versions.end(), version) != versions.end();
}

NamedVersions read_tags(std::string_view header) {
  NamedVersions named;
  while (!header.empty()) {
    const auto comma = header.find(',');
    const std::string_view tag = core::trim(header.substr(0, comma));
    header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
    named.any = named.any || tag == "*";
    if (const auto version = version_of_tag(tag)) named.versions.push_back(*version);
  }
  return named;
}

std::string http_date(std::string_view instant) {
  const auto at = core::parse_instant(instant);
  return at ? core::to_http_date(*at) : std::string();
}

}  // namespace gateway::daemon::fhir
