#include "sync/retention.h"

#include <algorithm>

namespace gateway::sync {

RetentionPolicy usual_marks(std::uint64_t disk_bytes, std::uint64_t reserve_bytes) {
  constexpr std::uint64_t kMost = std::uint64_t{4} << 30;
  RetentionPolicy policy;
  policy.free_below_bytes =
      std::max(std::min(kMost, disk_bytes / 20), reserve_bytes + reserve_bytes / 2);
  policy.free_until_bytes = 2 * policy.free_below_bytes;
  return policy;
}

bool is_making_room(const RetentionPolicy& policy, std::uint64_t free_bytes, bool before) {
  if (policy.free_below_bytes == 0) return false;
  if (free_bytes < policy.free_below_bytes) return true;
  return before && free_bytes < policy.free_until_bytes;
}

RetentionPlan plan_retention(const RetentionPolicy& policy, core::Wall now,
                             std::uint64_t wanted_bytes, std::span<const HeldStudy> oldest_first) {
  RetentionPlan plan;
  std::uint64_t planned_bytes = 0;
  for (const HeldStudy& study : oldest_first) {
    const bool too_old = policy.keep && now - study.last_received >= *policy.keep;
    for (const HeldInstance& instance : study.instances) {
      if (!too_old && planned_bytes >= wanted_bytes) break;
      for (const std::string& uplink : instance.to_be_asked) {
        plan.ask.push_back({instance.row, uplink});
      }
      if (instance.confirmed) plan.evict.push_back(instance.row);
      if (instance.confirmed || !instance.to_be_asked.empty()) planned_bytes += instance.bytes;
    }
  }
  return plan;
}

}  // namespace gateway::sync
