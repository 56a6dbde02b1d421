#include "sync/critical_results.h"

#include "core/text.h"
#include "sync/fhir/result_words.h"
#include "sync/urgency.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;
using fhir::value_of;
using fhir::words_of;

constexpr std::int64_t kListed = 200;

/// The result itself, or those of its components that are critical.
void add_critical(const Json& result, Json& found) {
  if (!is_critical(result)) return;
  const std::size_t before = found.size();
  for (const Json& component : result["component"].items()) add_critical(component, found);
  if (found.size() > before) return;
  found.add(Json::object({{"what", words_of(result["code"])},
                          {"value", value_of(result)},
                          {"flag", words_of(result["interpretation"].items()[0])}}));
}

Json criticals_in(const Json& result) {
  Json found = Json::array();
  const std::string_view type = result["resourceType"].text();
  if (type == "Observation" || type == "DiagnosticReport") add_critical(result, found);
  return found;
}

}  // namespace

core::Status raise_critical_edit(Connection& connection, const std::string& reference,
                                 const Json& held, const Json& body, const std::string& who,
                                 const std::string& now) {
  const Json found = criticals_in(body);
  if (found.size() == 0 || found == criticals_in(held)) return {};
  Json results = Json::array();
  for (const Json& one : found.items()) {
    Json result = one;
    result.set("resource", reference);
    result.set("from", who);
    result.set("patient", body["subject"]["reference"]);
    results.add(std::move(result));
  }
  return connection.run(
      "INSERT INTO critical_result (message, raised_at, results)"
      " SELECT min(0, coalesce(min(message), 0)) - 1, ?, ? FROM critical_result",
      now, results.dump());
}

core::Status raise_critical(Connection& connection, const IncomingMessage& message,
                            std::int64_t number, const std::string& now) {
  Json results = Json::array();
  for (const Draft& draft : message.drafts) add_critical(draft.body, results);
  if (results.size() == 0) return {};
  return connection.run(
      "INSERT INTO critical_result (message, raised_at, results) VALUES (?, ?, ?)"
      " ON CONFLICT DO NOTHING",
      number, now, results.dump());
}

core::Result<Json> criticals_report(Connection& connection) {
  GW_TRY(auto rows,
         connection.query("SELECT c.message, m.device, c.raised_at, m.state, m.patient, c.results"
                          " FROM critical_result c LEFT JOIN message m ON m.number = c.message"
                          " WHERE c.acknowledged_at IS NULL ORDER BY c.message LIMIT ?",
                          kListed));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return Json::object({{"criticals", std::move(list)}});
    GW_TRY(Json results, Json::parse(rows.text(5)));
    const bool is_edit = rows.integer(0) < 0;
    const Json& first = results.items().empty() ? results : results.items()[0];
    std::string patient(is_edit ? first["patient"].text() : rows.text(4));
    if (!is_edit && !patient.empty()) patient.insert(0, "Patient/");
    Json listed = Json::object({{"number", rows.integer(0)}});
    listed.set("device", is_edit ? first["from"].text() : rows.text(1));
    listed.set("raised_at", rows.text(2));
    listed.set("state", is_edit ? std::string_view("stored") : rows.text(3));
    listed.set("patient", patient);
    listed.set("results", std::move(results));
    list.add(std::move(listed));
  }
}

core::Result<std::int64_t> count_criticals(Connection& connection) {
  GW_TRY(const auto open,
         connection.integer("SELECT count(*) FROM critical_result WHERE acknowledged_at IS NULL"));
  return open.value_or(0);
}

core::Status acknowledge_critical(Connection& connection, std::int64_t number,
                                  const std::string& who, const std::string& now) {
  GW_CHECK(
      connection.run("UPDATE critical_result SET acknowledged_at = ?, acknowledged_by = ?"
                     " WHERE message = ? AND acknowledged_at IS NULL",
                     now, who, number));
  if (connection.changes() > 0) return {};
  return core::Error(core::Code::not_found,
                     cat("no critical result ", number,
                         " is open; see clinic-gateway criticals: perhaps somebody was quicker"));
}

}  // namespace gateway::sync
