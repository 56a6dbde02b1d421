// All that central operations are told besides status and health, each time these are gathered:
// metrics, the alarms that began or ended, and now and then the inventory; with Sparkplug B also
// status and health. Holds the publisher. Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>

#include "core/clock.h"
#include "core/config.h"
#include "core/json.h"
#include "daemon/blocking.h"
#include "daemon/ops/central_sender.h"
#include "daemon/ops/commands.h"
#include "daemon/ops/health.h"
#include "daemon/ops/inventory.h"
#include "daemon/ops/sparkplug_edge.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class CentralReports {
 public:
  /// All it is given by reference outlives it. `ask` carries commands out; a policy that allows
  /// none listens for none.
  CentralReports(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
                 BlockingLane& lane, const core::Clock& clock, const core::Config& config,
                 const MqttSettings& settings, const std::string& boot_id, CommandPolicy commands,
                 ControlAsk ask);
  ~CentralReports();
  CentralReports(const CentralReports&) = delete;
  CentralReports& operator=(const CentralReports&) = delete;

  core::net::Awaitable<void> tell(Vitals vitals);
  /// The certificates' files may be others now.
  void look_again() { looked_at_.reset(); }
  HealthPublisher& publisher() { return publisher_; }

 private:
  core::net::Awaitable<bool> look_at_certificates();
  CentralCalls calls(const CommandPolicy& commands);
  void tell_refused(const core::Json& refusal);

  BlockingLane& lane_;
  const core::Clock& clock_;
  const core::Config& config_;
  CentralSender sender_;
  Commands commands_;
  const SystemFacts system_ = read_system_facts();
  core::Json certificates_ = core::Json::array();
  std::optional<core::Monotonic> looked_at_;
  std::optional<OpeningState> told_state_;
  std::unique_ptr<SparkplugEdge> edge_;  // null: JSON
  HealthPublisher publisher_;            // last: its session calls the others until it ends
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
