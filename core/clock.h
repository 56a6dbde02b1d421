// Time as the gateway sees it. Ordering never uses wall time (the box may boot in 1970): durations
// and retries use monotonic(), wall() is only for what a person or a protocol reads.
#pragma once

#include <chrono>
#include <string>

namespace gateway::core {

using Monotonic = std::chrono::steady_clock::time_point;
using Wall = std::chrono::system_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

/// Thread-safe. Injected everywhere, so that a test can jump either clock.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Monotonic monotonic() const = 0;
  virtual Wall wall() const = 0;
};

/// The machine's clocks.
const Clock& system_clock();

/// FHIR instant in UTC with milliseconds: 2026-03-01T08:15:30.123Z.
std::string to_instant(Wall time);

}  // namespace gateway::core
