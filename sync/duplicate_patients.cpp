#include "sync/duplicate_patients.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/merged_patients.h"
#include "sync/outbox.h"
#include "sync/reference_order.h"
#include "sync/stable_id.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;

// An identifier that so many carry is none.
constexpr std::size_t kNamesakesMax = 10;

/// Who else carries an identifier of the patient: those made here, or those of a hospital.
core::Result<std::set<std::string>> namesakes_of(Connection& connection, const Json& patient,
                                                 bool made_here) {
  std::set<std::string> namesakes;
  for (const Json& identifier : patient["identifier"].items()) {
    const std::string_view system = identifier["system"].text();
    const std::string_view value = identifier["value"].text();
    if (system.empty() || value.empty() || identifier["use"].text() == "old") continue;
    GW_TRY(const auto carriers, find_by_identifier(connection, "Patient", system, value));
    if (carriers.size() > kNamesakesMax) continue;
    for (const std::string& id : carriers) {
      GW_TRY(const bool is_ours, was_made_here(connection, {"Patient", id}));
      if (is_ours == made_here) namesakes.insert(id);
    }
  }
  return namesakes;
}

Json proposal(const std::string& id, const std::string& hospitals, const std::string& ours,
              std::string_view now) {
  const auto patient = [](const std::string& of) {
    return Json::object({{"reference", cat("Patient/", of)}});
  };
  Json task = Json::object({{"resourceType", "Task"}, {"id", id}});
  task.set("status", "requested");
  task.set("intent", "proposal");
  task.set("code", Json::object({{"text", "merge patients"}}));
  task.set("description",
           "Both records carry the same identifier. One of them was registered in the clinic; are "
           "they one person?");
  task.set("focus", patient(hospitals));
  task.set("for", patient(hospitals));
  task.set("authoredOn", now);
  Json input = Json::object({{"type", Json::object({{"text", "patient to be merged"}})}});
  input.set("valueReference", patient(ours));
  task.set("input", Json::array({std::move(input)}));
  return task;
}

core::Status propose(Connection& connection, const Reconciling& with, const std::string& hospitals,
                     const std::string& ours, std::string_view now) {
  const ResourceKey key{"Task", stable_id(cat("merge|", with.uplink, '|', hospitals, '|', ours))};
  GW_TRY(const auto known, read_newest(connection, key));
  if (known) return {};
  const Json task = proposal(key.id, hospitals, ours, now);
  GW_CHECK(put_resource(connection, key, task, "clinic", now));
  GW_TRY(const auto order, reference_order(connection, with.uplink, key, task));
  GW_CHECK(queue_row(connection, with.uplink, "resource", key.text(), 0, order.first, now));
  return with.audit.append(connection, {.at = with.clock.wall(),
                                        .actor = cat("uplink:", with.uplink),
                                        .action = "propose-merge",
                                        .resource = key.text(),
                                        .patient = cat("Patient/", hospitals),
                                        .source = cat("Patient/", ours),
                                        .outcome = "the hospital is asked"});
}

}  // namespace

core::Status propose_merges(Connection& connection, const Reconciling& with, const Json& arrived,
                            std::string_view now) {
  const std::string id(arrived["id"].text());
  GW_TRY(const bool is_ours, was_made_here(connection, {"Patient", id}));
  if (is_ours) return {};
  GW_TRY(const std::set<std::string> namesakes, namesakes_of(connection, arrived, true));
  if (namesakes.empty()) return {};
  GW_TRY(const auto records, records_of_person(connection, id));
  for (const std::string& ours : namesakes) {
    if (std::ranges::find(records, ours) == records.end())
      GW_CHECK(propose(connection, with, id, ours, now));
  }
  return {};
}

core::Status propose_own(Connection& connection, const crypto::Audit& audit,
                         const core::Clock& clock, const Json& entered) {
  const std::string id(entered["id"].text());
  GW_TRY(const bool is_ours, was_made_here(connection, {"Patient", id}));
  if (!is_ours) return {};
  GW_TRY(const std::set<std::string> namesakes, namesakes_of(connection, entered, false));
  if (namesakes.empty()) return {};
  GW_TRY(const auto records, records_of_person(connection, id));
  const std::string now = core::to_instant(clock.wall());
  for (const std::string& hospitals : namesakes) {
    if (std::ranges::find(records, hospitals) != records.end()) continue;
    // Version 0 is nobody's: every uplink that knows of it.
    GW_TRY(const auto uplinks, agreed_elsewhere(connection, "", {"Patient", hospitals}, 0));
    for (const std::string& uplink : uplinks) {
      const Reconciling with{audit, clock, uplink};
      GW_CHECK(propose(connection, with, hospitals, id, now));
    }
  }
  return {};
}

}  // namespace gateway::sync
