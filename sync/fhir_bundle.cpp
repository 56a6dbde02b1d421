#include "sync/fhir_bundle.h"

#include <charconv>

#include "core/text.h"
#include "sync/peer_answer.h"

namespace gateway::sync {
namespace {

using core::Json;

/// "201 Created" as 201; 0: not a status.
int status_of(std::string_view text) {
  int status = 0;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return status >= 100 && status < 600 ? status : 0;
}

/// A server may tell the version in `etag` or only as the end of `location`.
std::string version_of(const Json& response, const Json& resource) {
  if (std::string tag = version_of_tag(response["etag"].text()); !tag.empty()) return tag;
  constexpr std::string_view kHistory = "/_history/";
  const std::string_view location = response["location"].text();
  if (const auto at = location.find(kHistory); at != std::string_view::npos)
    return std::string(location.substr(at + kHistory.size()));
  return std::string(resource["meta"]["versionId"].text());
}

}  // namespace

BundleWriter::BundleWriter(BundleKind kind)
    : text_(core::cat(R"({"resourceType":"Bundle","type":")",
                      kind == BundleKind::batch ? "batch" : "transaction", R"(","entry":[)")) {}

void BundleWriter::begin_entry(std::string_view method, std::string_view url) {
  if (entries_++ > 0) text_ += ',';
  text_ += core::cat(R"({"request":{"method":")", method, R"(","url":")", url, '"');
}

void BundleWriter::read(std::string_view place) {
  begin_entry("GET", place);
  text_ += "}}";
}

void BundleWriter::create(std::string_view type, std::string_view body, std::string_view query,
                          std::string_view full_url) {
  begin_entry("POST", type);
  text_ += core::cat(R"(,"ifNoneExist":)", Json(query).dump(), '}');
  if (!full_url.empty()) text_ += core::cat(R"(,"fullUrl":)", Json(full_url).dump());
  text_ += core::cat(R"(,"resource":)", body, '}');
}

void BundleWriter::update(const ResourceKey& key, std::string_view body,
                          std::string_view if_match) {
  begin_entry("PUT", key.text());
  if (if_match.empty()) {
    text_ += R"(,"ifNoneMatch":"*")";
  } else {
    text_ += core::cat(R"(,"ifMatch":)", Json(core::cat("W/\"", if_match, "\"")).dump());
  }
  text_ += R"(},"resource":)";
  text_ += body;
  text_ += '}';
}

void BundleWriter::remove(const ResourceKey& key, std::string_view if_match) {
  begin_entry("DELETE", key.text());
  if (!if_match.empty())
    text_ += core::cat(R"(,"ifMatch":)", Json(core::cat("W/\"", if_match, "\"")).dump());
  text_ += "}}";
}

std::string BundleWriter::finish() && {
  text_ += "]}";
  return std::move(text_);
}

core::Result<std::vector<FhirAnswer>> answers_of(const FhirAnswer& answer, std::size_t entries) {
  const auto& told = answer.body["entry"].items();
  if (answer.body["resourceType"].text() != "Bundle" || told.size() != entries) {
    return core::Error(core::Code::refused,
                       core::cat("the server answered a Bundle of ", entries,
                                 " entries with something else; is its batch support sound?"));
  }
  std::vector<FhirAnswer> answers;
  for (const Json& entry : told) {
    const Json& response = entry["response"];
    FhirAnswer one;
    one.status = status_of(response["status"].text());
    if (one.status == 0) {
      return core::Error(core::Code::refused,
                         "the server answered an entry of a Bundle without a status");
    }
    one.body = entry["resource"].is_null() ? response["outcome"] : entry["resource"];
    one.version = version_of(response, entry["resource"]);
    one.date = answer.date;
    one.id = id_of_location(response["location"].text());
    // Who may not send at all gets no answer of entries: a 403 in it is about this one.
    if (one.status != 403) one.not_serving = not_serving({one.status, {}, {}}, "json");
    answers.push_back(std::move(one));
  }
  return answers;
}

}  // namespace gateway::sync
