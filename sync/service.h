// The sync loop: feeds the pure engine with what happened and carries out what it asks for, on one
// io_context thread, with the uplinks it was given. Started when the gateway unlocks, stopped
// before the holdings close.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "sync/holdings.h"
#include "sync/uplink.h"

namespace gateway::sync {

/// What wakes the service when the engine asked for it. Used on the loop's thread only.
class Alarm {
 public:
  virtual ~Alarm() = default;
  /// Calls `ring` on the loop at `time`, or soon where that has passed. One is set at a time: the
  /// newest replaces what was set before.
  virtual void set(core::Monotonic time, std::function<void()> ring) = 0;
  virtual void cancel() = 0;
};

/// What a run in virtual time brings of its own, so that it can be repeated.
struct ServiceSeams {
  std::unique_ptr<Alarm> alarm;
  std::uint64_t seed = 0;  // of the jitter
};

class SyncService {
 public:
  /// `loop` runs on one thread; everything is called on that thread but for wake() and turns().
  static std::shared_ptr<SyncService> create(boost::asio::any_io_executor loop,
                                             std::shared_ptr<Holdings> holdings,
                                             std::vector<std::unique_ptr<Uplink>> uplinks,
                                             const core::Clock& clock);
  /// The same with its own alarm and seed in place of the machine's.
  static std::shared_ptr<SyncService> create(boost::asio::any_io_executor loop,
                                             std::shared_ptr<Holdings> holdings,
                                             std::vector<std::unique_ptr<Uplink>> uplinks,
                                             const core::Clock& clock, ServiceSeams seams);
  virtual ~SyncService() = default;
  virtual void start() = 0;
  /// Closes the uplinks; rows being sent stay marked as perhaps sent.
  virtual void stop() = 0;
  /// Something new is in the outbox. Thread-safe, cheap, coalescing.
  virtual void wake() = 0;
  /// Everything that waits for its time is tried at once, pulls too.
  virtual void sync_now() = 0;
  /// The named uplink begins nothing new until this is taken back; sync/uplink_pauses.h keeps it
  /// across restarts. Nothing happens for a name that is not configured.
  virtual void set_paused(const std::string& uplink, bool paused) = 0;
  /// Uplink::probe() of the named one, else Code::not_found.
  virtual core::net::Awaitable<core::Result<core::Json>> probe(std::string uplink) = 0;
  /// Per uplink: {"name","kind","state":"up|down|unknown","paused","open","last_success",
  /// "last_error","in_flight","server"};
  /// last_success: when the peer last confirmed a row or answered a whole pull.
  virtual core::Json report() const = 0;
  /// Grows while the loop makes progress: for the watchdog.
  virtual std::uint64_t turns() const = 0;
};

}  // namespace gateway::sync
