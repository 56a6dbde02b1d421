#include "sync/correction.h"

#include <algorithm>

#include "sync/fhir/resource_rules.h"
#include "sync/merged_patients.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

// A number that more reports carry than this says nothing.
constexpr std::size_t kReportsMax = 100;

bool is_of(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// The same test, whatever its text says; by the text where one of them has no code.
bool is_same_test(const Json& one, const Json& other) {
  const auto& codings = one["coding"].items();
  const auto& others = other["coding"].items();
  if (codings.empty() || others.empty()) return one["text"] == other["text"];
  return std::ranges::any_of(codings, [&](const Json& coding) {
    return std::ranges::any_of(others, [&](const Json& known) {
      return known["system"] == coding["system"] && known["code"] == coding["code"];
    });
  });
}

/// The reports a correction may belong to.
class Reports {
 public:
  Reports(Connection& connection, std::vector<std::string> records)
      : connection_(connection), records_(std::move(records)) {}

  core::Status add(const std::string& id) {
    if (std::ranges::any_of(own_, [&](const Json& one) { return one["id"].text() == id; }))
      return {};
    GW_TRY(const auto held, read_resource(connection_, {"DiagnosticReport", id}));
    if (!held) return {};
    const auto owner = parse_reference(patient_of(held->body));
    if (owner && is_of(records_, owner->id)) {
      own_.push_back(held->body);
    } else {
      are_elsewhere_ = true;
    }
    return {};
  }

  /// Those that carry a number of the order (DiagnosticReport.identifier).
  core::Status add_numbered(const Json& number) {
    GW_TRY(const auto found, find_by_identifier(connection_, "DiagnosticReport",
                                                number["system"].text(), number["value"].text()));
    if (found.size() > kReportsMax) {
      are_elsewhere_ = true;
      return {};
    }
    for (const std::string& id : found) GW_CHECK(add(id));
    return {};
  }

  const std::vector<Json>& own() const { return own_; }
  /// Somebody else's carry the number, or may.
  bool are_elsewhere() const { return are_elsewhere_; }

 private:
  Connection& connection_;
  const std::vector<std::string> records_;  // of the person
  std::vector<Json> own_;
  bool are_elsewhere_ = false;
};

/// The place of the report among the drafts that names this one as a result.
std::size_t report_of(const IncomingMessage& message, std::size_t place) {
  const std::string reference = draft_reference(place);
  for (std::size_t i = 0; i < message.drafts.size(); ++i) {
    const Json& body = message.drafts[i].body;
    if (body["resourceType"].text() != "DiagnosticReport") continue;
    if (std::ranges::any_of(body["result"].items(),
                            [&](const Json& one) { return one["reference"].text() == reference; }))
      return i;
  }
  return message.drafts.size();
}

/// Results of the same test in the report that no other draft of the message is.
core::Status add_results(Connection& connection, const Json& report, const Json& code,
                         const std::vector<std::string>& ids, std::vector<std::string>& found) {
  for (const Json& one : report["result"].items()) {
    const auto key = parse_reference(one["reference"].text());
    if (!key || key->type != "Observation" || is_of(ids, key->id) || is_of(found, key->id))
      continue;
    GW_TRY(const auto held, read_resource(connection, *key));
    if (held && is_same_test(held->body["code"], code)) found.push_back(key->id);
  }
  return {};
}

}  // namespace

core::Result<Original> find_original(Connection& connection, const IncomingMessage& message,
                                     std::size_t place, const std::vector<std::string>& ids,
                                     const std::string& patient) {
  const Draft& draft = message.drafts[place];
  GW_TRY(auto records, records_of_person(connection, patient));
  if (!is_of(records, patient)) records.push_back(patient);
  Reports reports(connection, std::move(records));
  const bool is_report = draft.body["resourceType"].text() == "DiagnosticReport";
  const std::size_t report = is_report ? place : report_of(message, place);
  bool is_numbered = false;
  if (report < ids.size()) {
    GW_CHECK(reports.add(ids[report]));
    for (const Json& number : message.drafts[report].body["identifier"].items()) {
      is_numbered = true;
      GW_CHECK(reports.add_numbered(number));
    }
  }

  std::vector<std::string> found;
  for (const Json& held : reports.own()) {
    if (!is_report) {
      GW_CHECK(add_results(connection, held, draft.body["code"], ids, found));
    } else if (is_same_test(held["code"], draft.body["code"]) && !is_of(ids, held["id"].text())) {
      found.emplace_back(held["id"].text());
    }
  }
  Original original;
  if (found.size() == 1) {
    original.id = std::move(found[0]);
  } else if (!found.empty()) {
    original.held_because =
        "it corrects one of several results of the same test and does not say which: look which "
        "one is meant and correct it, then assign this one, which is added to them";
  } else if (reports.own().empty() && (reports.are_elsewhere() || !is_numbered)) {
    original.held_because = std::string(kEditOfNothing);
  }
  return original;
}

}  // namespace gateway::sync
