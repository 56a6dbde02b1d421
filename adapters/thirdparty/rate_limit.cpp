#include "adapters/thirdparty/rate_limit.h"

#include <algorithm>

namespace gateway::adapters::thirdparty {

core::Milliseconds RateLimit::take(core::Monotonic now) {
  const core::Monotonic next = std::max(used_until_, now) + each_;
  const auto over = next - now - std::chrono::seconds(1);
  if (over > std::chrono::nanoseconds::zero()) return std::chrono::ceil<core::Milliseconds>(over);
  used_until_ = next;
  return core::Milliseconds(0);
}

}  // namespace gateway::adapters::thirdparty
