// The sync loop: feeds the pure engine with what happened and carries out what it asks for, on one
// io_context thread, with the uplinks it was given. Started when the gateway unlocks, stopped
// before the holdings close.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "sync/holdings.h"
#include "sync/uplink.h"

namespace gateway::sync {

class SyncService {
 public:
  /// `loop` runs on one thread; start(), stop() and report() are called on that thread.
  static std::shared_ptr<SyncService> create(boost::asio::any_io_executor loop,
                                             std::shared_ptr<Holdings> holdings,
                                             std::vector<std::unique_ptr<Uplink>> uplinks,
                                             const core::Clock& clock);
  virtual ~SyncService() = default;
  virtual void start() = 0;
  /// Closes the uplinks; rows being sent stay marked as perhaps sent.
  virtual void stop() = 0;
  /// Something new is in the outbox. Thread-safe, cheap, coalescing.
  virtual void wake() = 0;
  /// Per uplink: {"name","kind","state":"up|down|unknown","last_success","last_error","in_flight"}.
  virtual core::Json report() const = 0;
  /// Grows while the loop makes progress: for the watchdog.
  virtual std::uint64_t turns() const = 0;
};

}  // namespace gateway::sync
