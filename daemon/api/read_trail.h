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
  /// False: the database has its hands full, so nothing more may be shown. `database` and `audit`
  /// are of the same holdings, which commit what is queued before they go.
  bool note(crypto::Database& database, const crypto::Audit& audit,
            std::vector<crypto::AuditEntry> reads);

 private:
  /// What one change has taken on.
  struct Batch {
    bool begun = false;
    bool refused = false;  // by a full queue: it will never begin
    std::vector<crypto::AuditEntry> reads;
  };
  core::Status append(crypto::Connection& connection, const crypto::Audit& audit, Batch& batch);
  void settle(const core::Status& status, Batch& batch);

  std::mutex mutex_;
  std::vector<crypto::AuditEntry> waiting_;  // guarded by mutex_
  bool queued_ = false;  // guarded by mutex_: a change is on its way that has not begun
};

}  // namespace gateway::daemon
