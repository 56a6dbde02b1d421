#include "sync/pull_state.h"

namespace gateway::sync {

using crypto::Connection;

core::Result<std::string> saved_cursor(Connection& connection, std::string_view uplink,
                                       std::string_view query) {
  GW_TRY(auto since, connection.text("SELECT since FROM pull_cursor WHERE uplink = ? AND query = ?",
                                     uplink, query));
  return since.value_or("");
}

core::Status put_cursor(Connection& connection, std::string_view uplink, std::string_view query,
                        std::string_view since) {
  return connection.run(
      "INSERT INTO pull_cursor (uplink, query, since) VALUES (?, ?, ?)"
      " ON CONFLICT (uplink, query) DO UPDATE SET since = excluded.since",
      uplink, query, since);
}

core::Result<Queued> find_queued(Connection& connection, std::string_view uplink,
                                 const ResourceKey& key) {
  GW_TRY(const auto sending,
         connection.integer("SELECT max(state = 'sending') FROM outbox"
                            " WHERE uplink = ? AND kind = 'resource' AND subject = ?",
                            uplink, key.text()));
  if (!sending) return Queued::nothing;
  return *sending == 1 ? Queued::sending : Queued::waiting;
}

core::Status refresh_after(Connection& connection, const ResourceKey& key,
                           const WorklistOptions& worklist) {
  if (key.type == "ServiceRequest") return refresh_worklist(connection, key.id, worklist);
  if (key.type == "Patient") return refresh_worklist_of_patient(connection, key.id, worklist);
  return {};
}

}  // namespace gateway::sync
