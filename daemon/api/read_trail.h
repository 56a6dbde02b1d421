// Reads on their way into the audit trail. Many at once become one change of the database, so that
// who reads does not wait for the disk; what is noted is durable with the commit that follows.
// Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "crypto/audit.h"
#include "crypto/database.h"

namespace gateway::daemon {

class ReadTrail : public std::enable_shared_from_this<ReadTrail> {
 public:
  /// False: too many wait already, so nothing more may be shown. `database` and `audit` are of the
  /// same holdings, which commit what is queued before they go.
  bool note(crypto::Database& database, const crypto::Audit& audit,
            std::vector<crypto::AuditEntry> reads);

 private:
  core::Status append(crypto::Connection& connection, const crypto::Audit& audit);
  void settle(const core::Status& status);

  std::mutex mutex_;
  std::vector<crypto::AuditEntry> waiting_;  // guarded by mutex_
  std::vector<crypto::AuditEntry> written_;  // guarded by mutex_: by a change not yet committed
  bool queued_ = false;                      // guarded by mutex_: a change is on its way
};

}  // namespace gateway::daemon
