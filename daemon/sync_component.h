// Runs the sync service and the upkeep of the store while the holdings are open, and hands on the
// wake-ups of whoever queues something. Loop thread only, but for the wake-ups.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/json.h"
#include "sync/holdings.h"
#include "sync/service.h"
#include "sync/upkeep.h"

namespace gateway::daemon {

class SyncComponent {
 public:
  /// `clock` outlives it. `restart`: sync::UpkeepOptions::restart, on the loop.
  SyncComponent(boost::asio::any_io_executor loop, const core::Config& config,
                const core::Clock& clock, std::function<void()> restart);
  ~SyncComponent();
  SyncComponent(const SyncComponent&) = delete;
  SyncComponent& operator=(const SyncComponent&) = delete;

  /// Before the holdings' door opens, since it sets what ingest wakes.
  void start(std::shared_ptr<sync::Holdings> holdings);
  /// Goes on as this configuration says, with the same uplinks of the same kinds: deliveries under
  /// way end as at a restart, as perhaps sent. Waits for the upkeep's step.
  void change(const core::Config& config);
  void stop();
  /// Thread-safe.
  void wake() { waker_->wake(); }
  /// As sync::SyncService says; Code::locked until it runs.
  core::Status sync_now();
  core::Status set_paused(const std::string& uplink, bool paused);
  core::net::Awaitable<core::Result<core::Json>> probe(std::string uplink);
  /// sync::SyncService::report(); null until it runs.
  core::Json report() const;
  /// sync::Upkeep::report() and problems(); null and none until it runs.
  core::Json upkeep_report() const;
  std::vector<std::string> upkeep_problems() const;

 private:
  /// Outlives the service in the hands of ingest.
  struct Waker {
    std::mutex mutex;
    sync::SyncService* service = nullptr;
    void wake();
    void aim_at(sync::SyncService* target);
  };

  void begin();
  void end();

  boost::asio::any_io_executor loop_;
  core::Config config_;  // its own: the upkeep's thread reads it
  const core::Clock& clock_;
  const std::function<void()> restart_;
  std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  std::shared_ptr<sync::Holdings> holdings_;
  std::shared_ptr<sync::SyncService> service_;
  std::unique_ptr<sync::Upkeep> upkeep_;
};

}  // namespace gateway::daemon
