// Which outbox subjects are still changing: a study's ImagingStudy is sent when its instances have
// stopped coming for a while, not once per instance. Only a matter of pace: forgotten at a restart,
// when everything waiting is due. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"

namespace gateway::sync {

class Settling {
 public:
  explicit Settling(core::Milliseconds quiet) : quiet_(quiet) {}

  void touch(const std::string& subject, core::Monotonic now);
  /// True while less than the quiet time has passed since the last touch; forgets the subject
  /// otherwise.
  bool is_settling(const std::string& subject, core::Monotonic now);
  /// When the first one will have settled.
  std::optional<core::Monotonic> next(core::Monotonic now);

 private:
  std::mutex mutex_;
  core::Milliseconds quiet_;
  std::map<std::string, core::Monotonic> touched_;
};

}  // namespace gateway::sync
