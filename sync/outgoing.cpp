#include "sync/outgoing.h"

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/fhir/resource_rules.h"
#include "sync/fhir/same_content.h"
#include "sync/imaging.h"
#include "sync/merged_patients.h"
#include "sync/reconcile.h"
#include "sync/reference_order.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

// How far back a version found at the server is looked for among our own.
constexpr int kVersionsCompared = 50;

/// What the hospital never had goes to the patient it holds now. What it has, it aims itself.
core::Status follow_merge(Connection& connection, Holdings& holdings, const core::Clock& clock,
                          const std::string& uplink, const ResourceKey& key) {
  GW_TRY(const auto base, read_base(connection, uplink, key));
  if (base) return {};
  GW_TRY(const auto held, read_resource(connection, key));
  if (!held) return {};
  GW_TRY(const auto aimed, aimed_at_survivor(connection, uplink, held->body));
  if (!aimed) return {};
  GW_CHECK(put_resource(connection, key, *aimed, "clinic", core::to_instant(clock.wall())));
  return holdings.audit().append(connection, {.at = clock.wall(),
                                              .actor = core::cat("uplink:", uplink),
                                              .action = "follow-merge",
                                              .resource = key.text(),
                                              .patient = patient_of(*aimed),
                                              .source = patient_of(held->body),
                                              .outcome = "sent for the patient who stays"});
}

}  // namespace

std::string Outgoing::text(bool under_our_id) const {
  if (!server_id.empty() || (is_new() && !under_our_id))
    return as_marked(with_names(resource.body, names), key, server_id).dump();
  return names.empty() ? resource.body.dump() : with_names(resource.body, names).dump();
}

core::Result<std::optional<Outgoing>> load_held(Connection& connection, const std::string& uplink,
                                                const ResourceKey& key) {
  GW_TRY(auto held, read_newest_version(connection, key));
  if (!held) return std::optional<Outgoing>();
  GW_TRY(auto base, read_base(connection, uplink, key));
  bool base_is_deleted = false;
  if (base) {
    GW_TRY(const auto agreed, read_version(connection, key, base->version));
    base_is_deleted = agreed && agreed->is_null();
  }
  std::optional<Json> proposed;
  if (base) {
    GW_TRY(proposed, proposed_against(connection, uplink, key, base->version, held->body));
  }
  GW_TRY(const auto order, reference_order(connection, uplink, key, held->body));
  GW_TRY(auto server_id, server_id_of(connection, uplink, key));
  GW_TRY(auto names, names_there(connection, uplink, held->body));
  return std::optional<Outgoing>(
      Outgoing{key, std::move(*held), std::move(base), order.first.has_value(), base_is_deleted,
               std::move(proposed), std::move(server_id), std::move(names)});
}

core::Result<std::optional<Outgoing>> load_outgoing(Connection& connection, Holdings& holdings,
                                                    const core::Clock& clock,
                                                    const std::string& uplink,
                                                    const ResourceKey& key) {
  if (key.type == "ImagingStudy") {
    GW_TRY(const Json made,
           imaging_study_resource(connection, key.id, holdings.options().worklist.time_zone));
    // What the hospital added to it stays, but not of what was withdrawn since.
    GW_TRY(const auto known, read_resource(connection, key));
    Json body = known ? known->body : Json::object();
    for (const char* ours : {"modality", "series"}) {
      if (made[ours].is_null()) body.erase(ours);
    }
    for (const auto& [member, value] : made.members()) body.set(member, value);
    // Made anew each time: its own record of the patient must not undo what the hospital merged.
    GW_TRY(auto aimed, aimed_at_survivor(connection, uplink, body));
    if (aimed) body = std::move(*aimed);
    GW_CHECK(put_resource(connection, key, body, "clinic", core::to_instant(clock.wall())));
  }
  GW_CHECK(follow_merge(connection, holdings, clock, uplink, key));
  return load_held(connection, uplink, key);
}

core::Result<std::optional<std::int64_t>> own_version_like(Connection& connection,
                                                           const ResourceKey& key,
                                                           std::int64_t agreed,
                                                           const Json& remote) {
  GW_TRY(auto rows, connection.query("SELECT version, body FROM resource_version WHERE type = ? "
                                     "AND id = ? AND origin = 'clinic' AND version > ?"
                                     " ORDER BY version DESC LIMIT ?",
                                     key.type, key.id, agreed, kVersionsCompared));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return std::optional<std::int64_t>();
    GW_TRY(const Json body, Json::parse(rows.text(1)));
    if (same_content(body, remote)) return std::optional<std::int64_t>(rows.integer(0));
  }
}

}  // namespace gateway::sync
