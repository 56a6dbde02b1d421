// Time that moves only when everything due has been done, and the loop the gateways' coroutines run
// on. One thread; what is due at the same time runs in the order it was asked for.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "core/clock.h"

namespace gateway::sim {

class VirtualTime {
 public:
  core::Monotonic now() const { return now_; }
  boost::asio::io_context& loop() { return loop_; }

  void at(core::Monotonic time, std::function<void()> what);
  void after(core::Milliseconds delay, std::function<void()> what) {
    at(now_ + delay, std::move(what));
  }
  /// Runs what is due next; false when that would be after `limit`, to which time then moves.
  bool step(core::Monotonic limit);
  /// Runs whatever the loop has ready.
  void settle();
  /// Forgets what was still to come.
  void clear();

 private:
  boost::asio::io_context loop_{1};
  core::Monotonic now_{std::chrono::hours(1)};
  std::uint64_t asked_ = 0;
  std::map<std::pair<core::Monotonic, std::uint64_t>, std::function<void()>> due_;
};

/// The true wall clock of a schedule: what the hospital's server shows.
core::Wall wall_at(core::Monotonic time);

/// A gateway's clocks: the wall clock may be wrong by any amount.
class ClinicClock final : public core::Clock {
 public:
  explicit ClinicClock(const VirtualTime& time) : time_(time) {}
  core::Monotonic monotonic() const override { return time_.now(); }
  core::Wall wall() const override { return wall_at(time_.now()) + error_; }
  void jump(core::Milliseconds error) { error_ = error; }

 private:
  const VirtualTime& time_;
  core::Milliseconds error_{0};
};

}  // namespace gateway::sim
