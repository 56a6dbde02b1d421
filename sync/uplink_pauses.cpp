#include "sync/uplink_pauses.h"

namespace gateway::sync {

core::Status keep_paused(crypto::Connection& connection, const std::string& uplink, bool paused) {
  if (paused)
    return connection.run("INSERT OR IGNORE INTO paused_uplink (uplink) VALUES (?)", uplink);
  return connection.run("DELETE FROM paused_uplink WHERE uplink = ?", uplink);
}

core::Result<std::vector<std::string>> paused_uplinks(crypto::Connection& connection) {
  GW_TRY(auto rows, connection.query("SELECT uplink FROM paused_uplink ORDER BY uplink"));
  std::vector<std::string> paused;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return paused;
    paused.emplace_back(rows.text(0));
  }
}

}  // namespace gateway::sync
