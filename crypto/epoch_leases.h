// Who is still sealing objects under which epoch: an epoch's key may go only when nobody is.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "core/clock.h"

namespace gateway::crypto {

class EpochLeases {
 public:
  /// Held by a writer from before it wraps its key until it is done. The leases outlive it.
  class Lease {
   public:
    Lease(EpochLeases& leases, std::uint32_t epoch) : leases_(leases), epoch_(epoch) {
      const std::lock_guard lock(leases_.mutex_);
      ++leases_.held_[epoch_];
    }
    ~Lease() {
      {
        const std::lock_guard lock(leases_.mutex_);
        if (--leases_.held_[epoch_] == 0) leases_.held_.erase(epoch_);
      }
      leases_.returned_.notify_all();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

   private:
    EpochLeases& leases_;
    const std::uint32_t epoch_;
  };

  /// True once nobody holds an epoch before `epoch`; false when that takes longer than `patience`.
  bool wait_for_older(std::uint32_t epoch, core::Milliseconds patience) {
    std::unique_lock lock(mutex_);
    return returned_.wait_for(lock, patience,
                              [&] { return held_.empty() || held_.begin()->first >= epoch; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::map<std::uint32_t, std::size_t> held_;
};

}  // namespace gateway::crypto
