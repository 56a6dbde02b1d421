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
  crypto::Change change = [self = shared_from_this(), &audit](crypto::Connection& connection) {
    return self->append(connection, audit);
  };
  database.write_async(std::move(change), [self = shared_from_this()](const core::Status& status) {
    self->settle(status);
  });
  return true;
}

core::Status ReadTrail::append(crypto::Connection& connection, const crypto::Audit& audit) {
  std::vector<crypto::AuditEntry> reads;
  {
    const std::lock_guard lock(mutex_);
    written_ = std::move(waiting_);
    waiting_.clear();
    reads = written_;
  }
  for (const crypto::AuditEntry& entry : reads) GW_CHECK(audit.append(connection, entry));
  return {};
}

void ReadTrail::settle(const core::Status& status) {
  const std::lock_guard lock(mutex_);
  queued_ = false;
  if (!status.ok()) {
    // They wait for the next read's change.
    move_behind(written_, std::move(waiting_));
    waiting_ = std::move(written_);
    core::log_error("api",
                    core::cat("reads are not in the audit trail yet: ", status.error().message()));
  }
  written_.clear();
}

}  // namespace gateway::daemon
