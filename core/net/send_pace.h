// A limit on the bytes a second that go out, shared by all connections of one client: a clinic's
// link is not the gateway's alone. One thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/clock.h"

namespace gateway::core::net {

class SendPace {
 public:
  /// `bytes_per_second`: more than 0.
  explicit SendPace(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  /// What may go at once: a tenth of a second's worth, so that several connections take turns.
  std::size_t portion() const {
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(bytes_per_second_ / 10, 256, 65'536));
  }
  /// When `bytes` that are ready `now` may go; they count as gone.
  Monotonic take(std::size_t bytes, Monotonic now) {
    const Monotonic at = std::max(now, free_at_);
    free_at_ = at + std::chrono::microseconds(bytes * 1'000'000 / bytes_per_second_);
    return at;
  }

 private:
  std::uint64_t bytes_per_second_;
  Monotonic free_at_{};
};

}  // namespace gateway::core::net
