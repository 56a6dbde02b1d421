// So many messages a second, as many at once where none came before. Pure: time in, waits out.
#pragma once

#include <cstdint>

#include "core/clock.h"

namespace gateway::adapters::thirdparty {

/// One thread.
class RateLimit {
 public:
  /// `per_second`: 1 to 10,000.
  explicit RateLimit(std::int64_t per_second)
      : each_(std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second) {}

  /// 0: the message may come, and counts. Else how long it has to wait; it does not count.
  core::Milliseconds take(core::Monotonic now);

 private:
  const std::chrono::nanoseconds each_;
  core::Monotonic used_until_{};
};

}  // namespace gateway::adapters::thirdparty
