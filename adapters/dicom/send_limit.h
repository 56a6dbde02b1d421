// A limit on the bytes a second that go out over several connections together, each of which has
// its own thread. Internal to adapters/dicom.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "core/net/send_pace.h"

namespace gateway::adapters::dicom {

/// Thread-safe.
class SendLimit {
 public:
  /// `bytes_per_second`: more than 0.
  explicit SendLimit(std::uint64_t bytes_per_second) : pace_(bytes_per_second) {}

  std::size_t portion() const { return pace_.portion(); }
  /// Returns when `bytes` may go. False: closed meanwhile.
  bool wait(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    const core::Monotonic at = pace_.take(bytes, std::chrono::steady_clock::now());
    return !closing_.wait_until(lock, at, [this] { return is_closed_; });
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    closing_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable closing_;
  bool is_closed_ = false;
  core::net::SendPace pace_;
};

}  // namespace gateway::adapters::dicom
