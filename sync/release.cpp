#include "sync/release.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/ids.h"
#include "core/text.h"
#include "sync/fhir/resource_rules.h"
#include "sync/fhir/result_words.h"
#include "sync/incoming_message.h"
#include "sync/outbox.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr std::int64_t kListed = 500;
constexpr std::string_view kPreliminary = "preliminary";

/// The message that told it last; nothing: an app or the hospital did.
std::optional<std::string> message_of(const Json& result) {
  const std::string_view source = result["meta"]["source"].text();
  if (!source.starts_with(kMessageSource)) return std::nullopt;
  return std::string(source.substr(kMessageSource.size()));
}

bool is_vital_sign(const Json& result) {
  return std::ranges::any_of(result["category"].items(), [](const Json& category) {
    return !category["coding"].items().empty() &&
           category["coding"].items()[0]["code"].text() == "vital-signs";
  });
}

Json item_of(const ResourceKey& key, const Json& result) {
  Json item = Json::object({{"resource", key.text()}, {"what", fhir::words_of(result["code"])}});
  item.set("value", fhir::value_of(result));
  const Json& flags = result["interpretation"];
  item.set("flag", flags.items().empty() ? "" : fhir::words_of(flags.items()[0]));
  return item;
}

struct Waiting {
  ResourceKey key;
  Json body;
};
core::Result<std::vector<Waiting>> preliminary_of(Connection& connection, std::string_view type) {
  GW_TRY(auto rows,
         connection.query("SELECT t.id, v.body FROM search_token t JOIN resource r USING (type, id)"
                          " JOIN resource_version v USING (type, id, version) WHERE t.type = ?"
                          " AND t.param = 'status' AND t.code = ? ORDER BY t.system, t.id LIMIT ?",
                          type, kPreliminary, kListed));
  std::vector<Waiting> waiting;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return waiting;
    GW_TRY(Json body, Json::parse(rows.text(1)));
    if (!is_vital_sign(body))
      waiting.push_back({{std::string(type), std::string(rows.text(0))}, std::move(body)});
  }
}

core::Result<std::optional<Json>> message_row(Connection& connection, const std::string& number) {
  GW_TRY(auto rows, connection.query("SELECT number, device, kind, received_at, patient FROM"
                                     " message WHERE number = CAST(? AS INTEGER)",
                                     number));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Json>();
  const std::string_view patient = rows.text(4);
  return std::optional(Json::object(
      {{"number", rows.integer(0)},
       {"device", rows.text(1)},
       {"kind", rows.text(2)},
       {"received_at", rows.text(3)},
       {"patient", patient.empty() ? std::string() : core::cat("Patient/", patient)}}));
}

core::Result<std::vector<ResourceKey>> told_by(Connection& connection, std::int64_t number) {
  std::vector<ResourceKey> keys;
  GW_TRY(const auto became, connection.text("SELECT became FROM message WHERE number = ?", number));
  std::string_view rest = became ? std::string_view(*became) : std::string_view();
  while (!rest.empty()) {
    const auto blank = std::min(rest.find(' '), rest.size());
    const auto key = parse_reference(rest.substr(0, blank));
    rest.remove_prefix(std::min(blank + 1, rest.size()));
    if (key && (key->type == "Observation" || key->type == "DiagnosticReport"))
      keys.push_back(*key);
  }
  return keys;
}

Json coding(std::string_view system, std::string_view code) {
  return Json::object(
      {{"coding", Json::array({Json::object({{"system", system}, {"code", code}})})}});
}

/// FHIR R4 Provenance: who answers for the results.
Json provenance(const std::string& id, const std::vector<std::string>& targets,
                const std::string& person, std::string_view now) {
  Json told = Json::object({{"resourceType", "Provenance"}, {"id", id}});
  Json all = Json::array();
  for (const std::string& target : targets) all.add(Json::object({{"reference", target}}));
  told.set("target", std::move(all));
  told.set("recorded", now);
  told.set("activity", coding("http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion", "AU"));
  told.set("agent",
           Json::array({Json::object(
               {{"type", coding("http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                                "verifier")},
                {"who", Json::object({{"display", person}})}})}));
  return told;
}

core::Status queue(Connection& connection, const Releasing& with, const std::string& subject,
                   std::string_view now) {
  for (const std::string& uplink : with.fhir_uplinks)
    GW_CHECK(queue_row(connection, uplink, "resource", subject, 0, std::nullopt, now));
  return {};
}

}  // namespace

core::Result<Json> unreleased_report(Connection& connection) {
  std::map<std::int64_t, Json> by_message;
  bool has_more = false;
  for (const char* type : {"DiagnosticReport", "Observation"}) {
    GW_TRY(const auto waiting, preliminary_of(connection, type));
    has_more = has_more || std::ssize(waiting) == kListed;
    for (const Waiting& one : waiting) {
      const auto number = message_of(one.body);
      if (!number) continue;
      GW_TRY(auto row, message_row(connection, *number));
      if (!row) continue;
      Json& told = by_message[(*row)["number"].integer().value_or(0)];
      Json items = told.is_object() ? told["items"] : Json::array();
      // A report says what its results say; alone it is all there is.
      items.add(item_of(one.key, one.body));
      told = std::move(*row);
      told.set("items", std::move(items));
    }
  }
  Json list = Json::array();
  for (auto& [number, told] : by_message) list.add(std::move(told));
  Json report = Json::object({{"more", has_more}});
  report.set("results", std::move(list));
  return report;
}

core::Result<std::vector<std::string>> release_results(Connection& connection,
                                                       const Releasing& with, std::int64_t number) {
  const std::string now = core::to_instant(with.clock.wall());
  GW_TRY(const auto keys, told_by(connection, number));
  std::vector<std::string> released;
  std::string patient;
  for (const ResourceKey& key : keys) {
    GW_TRY(const auto newest, read_newest_version(connection, key));
    if (!newest || newest->body["status"].text() != kPreliminary ||
        message_of(newest->body) != std::to_string(number) ||
        std::ranges::find(released, key.text()) != released.end())
      continue;
    Json body = newest->body;
    body.set("status", "final");
    GW_CHECK(put_version(connection, key, newest, body, "clinic", now));
    GW_CHECK(queue(connection, with, key.text(), now));
    released.push_back(key.text());
    patient = patient_of(body);
  }
  if (released.empty())
    return core::Error(core::Code::not_found,
                       core::cat("nothing of message ", number, " waits for release"));
  const ResourceKey told{"Provenance", core::new_uuid(with.clock)};
  GW_CHECK(put_resource(connection, told, provenance(told.id, released, with.person, now), "clinic",
                        now));
  GW_CHECK(queue(connection, with, told.text(), now));
  GW_CHECK(with.audit.append(connection, {.at = with.clock.wall(),
                                          .actor = with.actor,
                                          .action = "release",
                                          .resource = core::cat("message/", number),
                                          .patient = patient,
                                          .source = with.source,
                                          .outcome = core::cat(released.size(), " results")}));
  return released;
}

}  // namespace gateway::sync
