// One daemon per state folder: two would sweep away each other's incoming objects.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"

namespace gateway::daemon {

/// Held until destroyed, or until the process ends in whatever way.
class StateLock {
 public:
  /// Makes the folder if need be. Code::exists when another process holds it; Code::io or
  /// Code::no_space when the folder cannot be used.
  static core::Result<std::unique_ptr<StateLock>> take(const std::string& state_folder);
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace gateway::daemon
