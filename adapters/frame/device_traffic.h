// One device's figures since the start; no patient data. From any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "adapters/frame/device_clock.h"
#include "adapters/frame/device_options.h"
#include "adapters/frame/line_recorder.h"
#include "core/clock.h"
#include "core/json.h"
#include "sync/intake.h"

namespace gateway::adapters::frame {

class DeviceTraffic {
 public:
  /// `since`: silence is counted from here until the device speaks.
  void watch(core::Wall since);
  void see(core::Wall now);
  void count(sync::Taken::Outcome outcome);
  void count_refused() { ++refused_; }
  /// A quality control: it is kept and becomes nothing.
  void count_control() { ++controls_; }
  /// A monitor's message of which nothing is sent on.
  void count_sample() { ++samples_; }

  core::Wall last_seen() const;
  DeviceClock& clock() { return clock_; }
  /// What passes on its connections, when somebody wants to see it.
  LineRecorder& recorder() { return recorder_; }
  /// {"name","profile","last_seen","silent","counts":{...}} and what the clock tells; `silent` by
  /// the device's silent_after.
  core::Json report(const DeviceOptions& device, core::Wall now) const;

 private:
  std::atomic<std::int64_t> watched_ms_{0}, last_seen_ms_{0};
  std::atomic<std::uint64_t> stored_{0}, repeated_{0}, unassigned_{0}, dead_{0}, refused_{0},
      controls_{0}, samples_{0};
  DeviceClock clock_;
  LineRecorder recorder_;
};

core::Json instant_or_null(core::Wall time);

}  // namespace gateway::adapters::frame
