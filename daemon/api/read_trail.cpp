#include "daemon/api/read_trail.h"

#include <iterator>

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

constexpr std::size_t kWaitingMax = 20'000;

void move_behind(std::vector<crypto::AuditEntry>& to, std::vector<crypto::AuditEntry> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

bool ReadTrail::note(crypto::Database& database, const crypto::Audit& audit,
                     std::vector<crypto::AuditEntry> reads) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + reads.size() > kWaitingMax) return false;
    move_behind(waiting_, std::move(reads));
    if (queued_) return true;
    queued_ = true;
  }
  const auto batch = std::make_shared<Batch>();
  const auto self = shared_from_this();
  crypto::Change change = [self, batch, &audit](crypto::Connection& connection) {
    return self->append(connection, audit, *batch);
  };
  database.write_async(std::move(change),
                       [self, batch](const core::Status& status) { self->settle(status, *batch); });
  const std::lock_guard lock(mutex_);
  return !batch->refused;
}

core::Status ReadTrail::append(crypto::Connection& connection, const crypto::Audit& audit,
                               Batch& batch) {
  if (!batch.begun) {
    const std::lock_guard lock(mutex_);
    // From here on a read needs a change of its own.
    queued_ = false;
    batch.begun = true;
    batch.reads = std::move(waiting_);
    waiting_.clear();
  }
  for (const crypto::AuditEntry& entry : batch.reads) GW_CHECK(audit.append(connection, entry));
  return {};
}

void ReadTrail::settle(const core::Status& status, Batch& batch) {
  if (status.ok()) return;
  core::log_error("api",
                  core::cat("reads are not in the audit trail yet: ", status.error().message()));
  const std::lock_guard lock(mutex_);
  if (!batch.begun) {
    queued_ = false;
    batch.refused = true;
    return;
  }
  // They wait for the next read's change.
  move_behind(batch.reads, std::move(waiting_));
  waiting_ = std::move(batch.reads);
}

}  // namespace gateway::daemon
