#include "sync/retry.h"

#include <algorithm>

namespace gateway::sync {

core::Milliseconds retry_delay(const RetryPace& pace, unsigned failures, std::uint64_t random) {
  constexpr unsigned kDoublingsMax = 20;  // far past any `longest`, far from overflow
  const unsigned doublings = std::min(failures == 0 ? 0 : failures - 1, kDoublingsMax);
  const auto whole = std::min(pace.longest, pace.first * (std::int64_t{1} << doublings));
  const std::int64_t half = whole.count() / 2;
  const auto spread = static_cast<std::int64_t>(random % static_cast<std::uint64_t>(half + 1));
  return core::Milliseconds(whole.count() - half + spread);
}

}  // namespace gateway::sync
