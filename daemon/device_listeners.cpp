#include "daemon/device_listeners.h"

#include <boost/asio/post.hpp>

#include "adapters/astm/astm_server.h"
#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/dicom_server.h"
#include "adapters/hl7/hl7_server.h"
#include "adapters/mqtt/mqtt_server.h"
#include "core/files.h"
#include "daemon/device_decoders.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr std::chrono::seconds kRetry{5};

}  // namespace

DeviceListeners::Listener::Listener(DeviceListeners& of, const char* name,
                                    std::function<Made()> made_by)
    : all(of),
      make(std::move(made_by)),
      component(
          of.loop_, name, kRetry, [this] { return begin(); }, of.changed_) {}

core::Status DeviceListeners::Listener::begin() {
  if (!all.held_because_.empty()) return core::Error(core::Code::busy, all.held_because_);
  if (!adapter) {
    GW_TRY(adapter, make());
  }
  return adapter->start();
}

DeviceListeners::DeviceListeners(boost::asio::any_io_executor loop, const core::Config& config,
                                 const Settings& settings, const sync::HoldingsDoor& door,
                                 const core::Clock& clock, std::function<void()> changed)
    : loop_(std::move(loop)),
      config_(config),
      settings_(settings),
      door_(door),
      clock_(clock),
      changed_(std::move(changed)) {
  listeners_.emplace_back(*this, "dicom", [this] { return make_dicom(); });
  listeners_.emplace_back(*this, "hl7", [this]() -> Made {
    GW_TRY(auto devices, adapters::hl7::hl7_devices(config_));
    return Made(adapters::hl7::Hl7Server::create(std::move(devices), door_, clock_));
  });
  listeners_.emplace_back(*this, "astm", [this]() -> Made {
    GW_TRY(auto devices, adapters::astm::astm_devices(config_, core::system_files()));
    return Made(adapters::astm::AstmServer::create(std::move(devices), door_, clock_));
  });
  listeners_.emplace_back(*this, "folder", [this]() -> Made {
    GW_TRY(auto folders, folder_server(config_, door_, clock_));
    return Made(std::move(folders));
  });
  listeners_.emplace_back(*this, "mqtt-devices", [this] { return make_mqtt(); });
}

DeviceListeners::Made DeviceListeners::make_dicom() const {
  if (!settings_.dicom_fault.empty())
    return core::Error(core::Code::invalid, settings_.dicom_fault);
  GW_TRY(auto options, adapters::dicom::dicom_options(config_));
  return Made(adapters::dicom::DicomServer::create(std::move(options), door_, clock_));
}

DeviceListeners::Made DeviceListeners::make_mqtt() const {
  GW_TRY(auto brokers, adapters::mqtt::brokers(config_, core::system_files()));
  return Made(adapters::mqtt::MqttServer::create(
      std::move(brokers), door_, clock_,
      [loop = loop_, changed = changed_] { boost::asio::post(loop, changed); }));
}

bool DeviceListeners::is_wanted(const std::string& protocol) const {
  // A hub without modalities of its own has no use for the port.
  if (protocol == "dicom") return !settings_.is_hub || config_.has("dicom.port");
  return has_device(config_, protocol == "mqtt-devices" ? "mqtt" : protocol);
}

void DeviceListeners::start() {
  for (Listener& one : listeners_) {
    if (is_wanted(one.component.name())) one.component.start();
  }
}

void DeviceListeners::stop() {
  for (Listener& one : listeners_) {
    one.component.stop();
    if (one.adapter) one.adapter->stop();
  }
}

void DeviceListeners::hold(const std::string& reason) {
  held_because_ = reason;
  for (Listener& one : listeners_) {
    if (!one.component.running()) continue;
    one.adapter->stop();
    one.component.failed(core::Error(core::Code::busy, reason), true);
  }
}

std::vector<Problem> DeviceListeners::problems() const {
  std::vector<Problem> found;
  for (const Listener& one : listeners_) {
    if (!one.component.problem().empty())
      found.push_back({one.component.name(), one.component.problem()});
  }
  for (const Listener& one : listeners_) {
    if (!one.adapter) continue;
    for (Problem& problem : device_problems(one.adapter->report()))
      found.push_back(std::move(problem));
  }
  return found;
}

Json DeviceListeners::report_of(std::string_view name) const {
  for (const Listener& one : listeners_) {
    if (one.component.name() == name && one.adapter) return one.adapter->report();
  }
  return {};
}

void DeviceListeners::report(Vitals& vitals) const {
  vitals.dicom = report_of("dicom");
  vitals.hl7 = report_of("hl7");
  vitals.astm = report_of("astm");
  vitals.folder = report_of("folder");
  vitals.mqtt_devices = report_of("mqtt-devices");
}

std::vector<Watchdog::Part> DeviceListeners::watchdog_parts() const {
  std::vector<Watchdog::Part> parts;
  for (const Listener& one : listeners_) {
    parts.push_back({one.component.name(), [&one]() -> std::optional<std::uint64_t> {
                       if (!one.component.running()) return std::nullopt;
                       return one.adapter->turns();
                     }});
  }
  return parts;
}

}  // namespace gateway::daemon
