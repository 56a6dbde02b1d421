// What takes devices' calls, one listener for DICOM, one for each device that speaks HL7, ASTM,
// writes files or is a third-party adapter, one for all that speak at brokers: made when its
// configuration can be read, started again until it works, watched and reported, none of them
// touching another. Everything on the loop thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/adapter.h"
#include "core/config.h"
#include "daemon/component.h"
#include "daemon/ops/vitals.h"
#include "daemon/ops/watchdog.h"
#include "daemon/settings.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kDicomListener = "dicom";
inline constexpr std::string_view kBrokersListener = "mqtt-devices";
/// The name of what listens to [device.NAME].
std::string listener_of(const std::string& device, std::string_view protocol);

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
  /// The configuration says something else of the listeners of these names: they end, begin, or
  /// begin anew as it says. Who is served by another is not disturbed; an association that runs is
  /// served to its end by the listener it called. DICOM that began without a faulty part begins
  /// anew in any case: mended by leaving it out, that part says what it said.
  void change(const std::set<std::string>& names);
  /// Returns when every thread is gone; what was acknowledged stays committed. Idempotent.
  void stop();
  /// Takes nothing in until release(): devices find the ports closed and try again. `reason` is
  /// each listener's problem meanwhile.
  void hold(const std::string& reason);
  /// They begin again within seconds.
  void release() { held_because_.clear(); }
  /// The listeners' own troubles first, then their devices'.
  std::vector<Problem> problems() const;
  /// Sets dicom, hl7, astm, poct1a, folder, mqtt_devices and socket; null where nothing listens.
  void report(Vitals& vitals) const;
  /// What passes on that device's connections, as long as this lives; null: it has none, or its
  /// listener never began.
  adapters::frame::LineRecorder* recorder(const std::string& device);
  /// Of now; they refer to this and must not be called after it is gone or was changed.
  std::vector<Watchdog::Part> watchdog_parts() const;

 private:
  using Adapter = std::unique_ptr<adapters::Adapter>;
  using Made = core::Result<Adapter>;
  struct Listener {
    Listener(DeviceListeners& of, const std::string& name, std::string of_protocol,
             std::string of_device);
    core::Status begin();

    DeviceListeners& all;
    const std::string protocol;
    const std::string device;  // empty: of all that speak it
    Adapter adapter;
    Component component;
  };

  Made make(const std::string& protocol, const std::string& device);
  Made make_dicom();
  Made make_brokers() const;
  void begin_wanted();
  void begin_one(const std::string& name, const std::string& protocol, const std::string& device);
  void let_go(Adapter adapter);
  void see_off();
  core::Json report_of(std::string_view protocol) const;

  const boost::asio::any_io_executor loop_;
  const core::Config& config_;
  const Settings& settings_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::function<void()> changed_;
  std::string held_because_;     // empty: not held
  bool dicom_is_short_ = false;  // of what was wrong in the configuration when it began
  std::map<std::string, Listener> listeners_;
  std::deque<Adapter> leaving_;  // they serve out who is there
  boost::asio::steady_timer leaving_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
