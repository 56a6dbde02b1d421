#include "daemon/unlock_trail.h"

#include <utility>

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {

using core::cat;

void record_unlock(sync::Holdings& holdings, const std::vector<Refusal>& refusals,
                   const std::string& by, core::Wall now) {
  std::vector<crypto::AuditEntry> entries;
  for (const Refusal& refusal : refusals) {
    entries.push_back({.at = refusal.at,
                       .actor = refusal.by,
                       .action = "unlock",
                       .resource = cat("KeySlot: ", refusal.kind),
                       .patient = "",
                       .source = "local",
                       .outcome = std::string(core::to_string(core::Code::locked))});
  }
  entries.push_back({.at = now,
                     .actor = by,
                     .action = "unlock",
                     .resource = cat("KeySlot/", holdings.keyring().opened_by().id),
                     .patient = "",
                     .source = "local",
                     .outcome = "success"});
  // The database commits what is queued before it goes, and the audit key goes after it.
  holdings.database().write_async(
      [&audit = holdings.audit(),
       entries = std::move(entries)](crypto::Connection& connection) -> core::Status {
        for (const crypto::AuditEntry& entry : entries) GW_CHECK(audit.append(connection, entry));
        return {};
      },
      [](const core::Status& status) {
        if (status.ok()) return;
        core::log_error("daemon",
                        cat("the unlock is not in the audit trail: ", status.error().message()));
      });
}

}  // namespace gateway::daemon
