// systemd's watchdog, fed from progress: each thread that matters has a counter that grows while it
// works; if one stands still, no WATCHDOG=1 is sent and systemd restarts the daemon. The timer that
// looks runs on the loop, so a loop that hangs feeds nothing either. Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"

namespace gateway::daemon {

/// Which counters moved lately. Pure.
class Progress {
 public:
  /// `counter` absent: that part does not run at the moment and is not expected to move.
  void observe(const std::string& part, std::optional<std::uint64_t> counter, core::Monotonic now);
  /// The others are gone and not expected to move.
  void keep_only(const std::set<std::string>& parts);
  /// Parts seen twice or more whose counter has not moved for longer than `allowed`.
  std::vector<std::string> stalled(core::Monotonic now, core::Milliseconds allowed) const;

 private:
  struct Mark {
    std::uint64_t counter = 0;
    core::Monotonic moved;
  };
  std::map<std::string, Mark> marks_;
};

class Watchdog {
 public:
  struct Part {
    std::string name;
    std::function<std::optional<std::uint64_t>()> counter;  // called on the loop, must not block
  };

  /// Asks for the parts there are and looks at them four times per `period`; a part may stand still
  /// for half of it. `feed` runs when all moved.
  Watchdog(boost::asio::any_io_executor loop, const core::Clock& clock, core::Milliseconds period,
           std::function<std::vector<Part>()> parts, std::function<void()> feed);
  ~Watchdog() { stop(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  void start();
  void stop();

 private:
  void look();

  const core::Clock& clock_;
  core::Milliseconds period_;
  std::function<std::vector<Part>()> parts_;
  std::function<void()> feed_;
  boost::asio::steady_timer timer_;
  Progress progress_;
  std::string complained_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
