// Bounds of what DICOMweb answers hold in memory together. Thread-safe; what is taken is given back
// when it is dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace gateway::daemon::dicomweb {

class Memory : public std::enable_shared_from_this<Memory> {
 public:
  using Held = std::shared_ptr<void>;

  /// The turn of making something long: one at a time, and none while there is no room. Without
  /// the lock: not yet.
  std::unique_lock<std::mutex> try_turn();
  /// Less is being sent than all together may hold.
  bool has_room() const;
  Held take(std::uint64_t bytes);

 private:
  std::mutex turn_;
  mutable std::mutex mutex_;
  std::uint64_t used_ = 0;  // guarded by mutex_
};

/// Places of which each is one's own as long as it is kept.
class Seats : public std::enable_shared_from_this<Seats> {
 public:
  explicit Seats(std::size_t free) : free_(free) {}
  /// Null: all are taken.
  std::shared_ptr<void> try_take();

 private:
  std::mutex mutex_;
  std::size_t free_;  // guarded by mutex_
};

}  // namespace gateway::daemon::dicomweb
