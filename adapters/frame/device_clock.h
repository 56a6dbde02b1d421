// How far a device's clock is off the gateway's, by the times its messages say they were written
// (CLINICAL.md, Results: measured and flagged; what was sent is kept as sent). From any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "core/clock.h"
#include "core/json.h"

namespace gateway::adapters::frame {

class DeviceClock {
 public:
  /// `theirs`: when the device says it wrote what came at `ours`; none (core::Wall()): nothing is
  /// learnt. `at_once`: it cannot have waited at the device. What else came may have, or be sent
  /// again: of the last twenty messages the one that is furthest ahead tells, and that a clock is
  /// behind only where all are by about the same while its time goes on.
  void note(core::Wall theirs, core::Wall ours, bool at_once);
  /// Sets "clock_ahead_s" once it is known and, from five minutes on, "problem" where there is none
  /// yet.
  void tell(core::Json& report) const;

 private:
  mutable std::mutex mutex_;
  struct Noted {
    std::int64_t ahead_s = 0;
    core::Wall theirs;
  };
  std::array<Noted, 20> last_{};
  std::size_t noted_ = 0;
  bool at_once_ = false;
};

}  // namespace gateway::adapters::frame
