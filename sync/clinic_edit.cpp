#include "sync/clinic_edit.h"

#include <optional>

#include "sync/critical_results.h"
#include "sync/duplicate_patients.h"
#include "sync/fhir/resource_rules.h"
#include "sync/outbox.h"
#include "sync/pull_state.h"
#include "sync/search_params.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

/// The newest row that must be gone before this resource can be sent: one of what it refers to.
core::Result<std::optional<std::int64_t>> find_needed(Connection& connection,
                                                      const std::string& uplink,
                                                      const ResourceKey& key, const Json& body) {
  std::optional<std::int64_t> needed;
  for (const auto& [param, target] : search_values(key.type, body).references) {
    if (target == key.text()) continue;
    GW_TRY(const auto row,
           connection.integer("SELECT max(number) FROM outbox WHERE kind = 'resource'"
                              " AND subject = ? AND uplink = ?",
                              target, uplink));
    if (row && (!needed || *row > *needed)) needed = row;
  }
  return needed;
}

core::Status send_on(Connection& connection, const Editing& editing, const ResourceKey& key,
                     const Json& body, const std::string& now) {
  for (const std::string& uplink : editing.uplinks) {
    GW_TRY(const auto needed, find_needed(connection, uplink, key, body));
    GW_CHECK(queue_row(connection, uplink, "resource", key.text(), 0, needed, now));
  }
  return {};
}

core::Status note(Connection& connection, const Editing& editing, const ResourceKey& key,
                  const Json& about, std::string_view action) {
  return editing.audit.append(connection, {.at = editing.clock.wall(),
                                           .actor = editing.actor,
                                           .action = std::string(action),
                                           .resource = key.text(),
                                           .patient = patient_of(about),
                                           .source = editing.source,
                                           .outcome = "success"});
}

}  // namespace

core::Result<std::int64_t> store_edit(Connection& connection, const Editing& editing,
                                      const ResourceKey& key, const Json& body,
                                      std::string_view action) {
  const std::string now = core::to_instant(editing.clock.wall());
  const Json wanted = without_server_meta(body);
  GW_CHECK(note(connection, editing, key, wanted, action));
  GW_TRY(const auto held, read_resource(connection, key));
  if (held && without_server_meta(held->body) == wanted) return held->version;
  GW_TRY(const std::int64_t version, put_resource(connection, key, wanted, "clinic", now));
  GW_CHECK(raise_critical_edit(connection, key.text(), held ? held->body : Json(), wanted,
                               editing.actor, now));
  GW_CHECK(refresh_after(connection, key, editing.worklist));
  GW_CHECK(send_on(connection, editing, key, wanted, now));
  if (key.type == "Patient")
    GW_CHECK(propose_own(connection, editing.audit, editing.clock, wanted));
  return version;
}

core::Result<std::int64_t> store_removal(Connection& connection, const Editing& editing,
                                         const ResourceKey& key) {
  const std::string now = core::to_instant(editing.clock.wall());
  GW_TRY(const auto held, read_resource(connection, key));
  GW_CHECK(note(connection, editing, key, held ? held->body : Json(), "delete"));
  GW_TRY(const std::int64_t version, delete_resource(connection, key, "clinic", now));
  if (!held) return version;
  GW_CHECK(refresh_after(connection, key, editing.worklist));
  GW_CHECK(send_on(connection, editing, key, held->body, now));
  return version;
}

}  // namespace gateway::sync
