// The wiring: every part of the daemon, who starts whom, and what happens when the gateway unlocks.
// Everything runs on the thread of the io_context it was given, but for the threads the parts own.
//
// Order at start: DICOM listens (answering "out of resources" while LOCKED), MQTT connects, the
// control socket listens, systemd hears READY, the keys are tried. Once the holdings are open: the
// sync service, then the door opens for the adapters. Stop goes the other way.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"
#include "daemon/settings.h"

namespace gateway::daemon {

class Gateway {
 public:
  /// `config_path` is read again by a reload. `restart` asks, on the loop, for a new process: this
  /// one cannot go on. Loop and clock outlive the gateway.
  static std::unique_ptr<Gateway> create(boost::asio::io_context& loop, core::Config config,
                                         Settings settings, std::string config_path,
                                         const core::Clock& clock, std::function<void()> restart);
  virtual ~Gateway() = default;
  /// Code::exists when another daemon answers on the control socket; whatever else cannot start is
  /// reported, retried, and does not keep the rest from serving.
  virtual core::Status start() = 0;
  /// Takes up a changed configuration (daemon/ops/reload.h); the log tells what came of it.
  virtual void reload() = 0;
  /// Stops everything and waits for it; io_context handlers left over do nothing.
  virtual void stop() = 0;
};

}  // namespace gateway::daemon
