#include "sync/settling.h"

#include <algorithm>

namespace gateway::sync {
namespace {

constexpr std::size_t kPruneAbove = 256;

}  // namespace

void Settling::touch(const std::string& subject, core::Monotonic now) {
  const std::lock_guard lock(mutex_);
  if (touched_.size() >= kPruneAbove) {
    std::erase_if(touched_, [&](const auto& entry) { return now - entry.second >= quiet_; });
  }
  touched_[subject] = now;
}

bool Settling::is_settling(const std::string& subject, core::Monotonic now) {
  const std::lock_guard lock(mutex_);
  const auto found = touched_.find(subject);
  if (found == touched_.end()) return false;
  if (now - found->second < quiet_) return true;
  touched_.erase(found);
  return false;
}

std::optional<core::Monotonic> Settling::next(core::Monotonic now) {
  const std::lock_guard lock(mutex_);
  std::optional<core::Monotonic> first;
  for (const auto& [subject, touched] : touched_) {
    const core::Monotonic settles = std::max(touched + quiet_, now);
    if (!first || settles < *first) first = settles;
  }
  return first;
}

}  // namespace gateway::sync
