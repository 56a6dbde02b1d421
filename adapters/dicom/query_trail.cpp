#include "adapters/dicom/query_trail.h"

#include <chrono>

#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

constexpr std::chrono::hours kSameAgain{1};
/// Callers remembered; beyond it all are forgotten, which costs a row each.
constexpr std::size_t kCallersMax = 1'000;

}  // namespace

void QueryTrail::note(sync::Holdings& holdings, Association& association,
                      const Answered& answered) {
  crypto::AuditEntry entry{.at = clock_.wall(),
                           .actor = cat("ae:", association.calling_title()),
                           .action = "query",
                           .resource = cat(answered.of, '/', answered.matches, " matches"),
                           .patient = "",
                           .source = association.peer().address(),
                           .outcome = "success"};
  if (!is_news(cat(entry.actor, '\\', entry.source, '\\', answered.of), answered)) return;
  // The holdings commit what is queued before they go.
  const crypto::Audit& audit = holdings.audit();
  holdings.database().write_async(
      [&audit, entry = std::move(entry)](crypto::Connection& connection) {
        return audit.append(connection, entry);
      },
      [](const core::Status& status) {
        if (!status.ok())
          core::log_error("dicom",
                          cat("a query is not in the audit trail: ", status.error().message()));
      });
}

bool QueryTrail::is_news(const std::string& caller, const Answered& answered) {
  const core::Monotonic now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  const auto known = shown_.find(caller);
  if (known != shown_.end() && known->second.what == answered.shown &&
      now - known->second.at < kSameAgain) {
    return false;
  }
  if (known == shown_.end() && shown_.size() >= kCallersMax) shown_.clear();
  shown_[caller] = {answered.shown, now};
  return true;
}

}  // namespace gateway::adapters::dicom
