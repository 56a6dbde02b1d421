// What takes devices' calls, one listener for each protocol: made when its configuration can be
// read, started again until it works, watched and reported, none of them touching another.
// Everything on the loop thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "core/config.h"
#include "daemon/component.h"
#include "daemon/ops/vitals.h"
#include "daemon/ops/watchdog.h"
#include "daemon/settings.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class DeviceListeners {
 public:
  /// `changed` runs on the loop after each change of outcome; all references outlive this.
  DeviceListeners(boost::asio::any_io_executor loop, const core::Config& config,
                  const Settings& settings, const sync::HoldingsDoor& door,
                  const core::Clock& clock, std::function<void()> changed);
  ~DeviceListeners() { stop(); }
  DeviceListeners(const DeviceListeners&) = delete;
  DeviceListeners& operator=(const DeviceListeners&) = delete;

  /// Those that the configuration has devices for.
  void start();
  /// Returns when every thread is gone; what was acknowledged stays committed. Idempotent.
  void stop();
  /// Takes nothing in until release(): devices find the ports closed and try again. `reason` is
  /// each listener's problem meanwhile.
  void hold(const std::string& reason);
  /// They begin again within seconds.
  void release() { held_because_.clear(); }
  /// The listeners' own troubles first, then their devices'.
  std::vector<Problem> problems() const;
  /// Sets dicom, hl7, astm, folder and mqtt_devices; null where nothing listens.
  void report(Vitals& vitals) const;
  /// They refer to this and must not be called after it is gone.
  std::vector<Watchdog::Part> watchdog_parts() const;

 private:
  using Made = core::Result<std::unique_ptr<adapters::Adapter>>;
  struct Listener {
    Listener(DeviceListeners& of, const char* name, std::function<Made()> made_by);
    core::Status begin();

    DeviceListeners& all;
    const std::function<Made()> make;
    std::unique_ptr<adapters::Adapter> adapter;
    Component component;
  };

  Made make_dicom() const;
  Made make_mqtt() const;
  bool is_wanted(const std::string& protocol) const;
  core::Json report_of(std::string_view name) const;

  const boost::asio::any_io_executor loop_;
  const core::Config& config_;
  const Settings& settings_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::function<void()> changed_;
  std::string held_because_;  // empty: not held
  std::list<Listener> listeners_;
};

}  // namespace gateway::daemon
