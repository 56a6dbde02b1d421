// A changed configuration is taken up while the gateway works: read and checked as a whole first;
// with any mistake nothing changes, and file, line and key are named. Route:
//
//   POST /v1/reload  {} -> {"taken":["log.level"],"at_restart":["mqtt.port"]}
//
// systemd hears RELOADING=1 meanwhile. Audited, a refusal too, where the gateway is not LOCKED.
// Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "daemon/blocking.h"
#include "daemon/checked_config.h"
#include "daemon/ops/control.h"
#include "daemon/ops/vitals.h"
#include "daemon/reload_plan.h"
#include "sync/holdings.h"

namespace gateway::daemon {

struct ReloadCalls {
  /// Makes `config` what holds, for those the plan names.
  std::function<void(const ReloadPlan& plan, core::Config config)> take_up;
  std::function<void()> settled;  // a reload is over, whatever came of it
};

class Reload {
 public:
  /// `config` is the one that holds. All it is given by reference outlives it, and the lane is
  /// stopped before it goes.
  Reload(boost::asio::any_io_executor loop, BlockingLane& lane, const sync::HoldingsDoor& door,
         const core::Clock& clock, const core::Config& config, std::string config_path, bool is_hub,
         ReloadCalls calls)
      : loop_(std::move(loop)),
        lane_(lane),
        door_(door),
        clock_(clock),
        config_(config),
        files_(file_marks(config)),
        config_path_(std::move(config_path)),
        is_hub_(is_hub),
        calls_(std::move(calls)) {}

  /// Code::invalid: what is wrong, line by line.
  ControlActions::JsonAnswer answer(Caller caller);
  /// The same for SIGHUP; the log tells what came of it. What comes meanwhile is one more.
  void on_signal();
  /// Component "restart": what waits for one.
  std::vector<Problem> problems() const;
  /// Nothing is taken up any more.
  void stop() { stopped_ = true; }

 private:
  core::Result<core::Json> take(CheckedConfig checked);
  void keep_until_restart(const ReloadPlan& plan, CheckedConfig& checked);
  core::net::Awaitable<void> record(Caller caller, bool taken);
  core::net::Awaitable<void> follow_signals();

  const boost::asio::any_io_executor loop_;
  BlockingLane& lane_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const core::Config& config_;
  FileMarks files_;
  std::vector<std::string> at_restart_;  // keys
  const std::string config_path_;
  const bool is_hub_;
  const ReloadCalls calls_;
  bool following_ = false;
  bool again_ = false;
  bool stopped_ = false;
};

}  // namespace gateway::daemon
