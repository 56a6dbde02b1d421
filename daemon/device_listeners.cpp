#include "daemon/device_listeners.h"

#include <boost/asio/post.hpp>
#include <system_error>

#include "adapters/astm/astm_server.h"
#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/dicom_server.h"
#include "adapters/hl7/hl7_server.h"
#include "adapters/mqtt/mqtt_server.h"
#include "adapters/poct1a/poct1a_server.h"
#include "adapters/thirdparty/socket_server.h"
#include "core/files.h"
#include "core/text.h"
#include "daemon/device_decoders.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr std::chrono::seconds kRetry{5};
constexpr std::chrono::seconds kLeavingLook{1};
// Of an older one the associations end: nobody reloads so often in earnest.
constexpr std::size_t kLeavingMax = 2;

/// A mistake in another device, or in its profile, is that one's.
core::Config only(const core::Config& config, const std::string& device) {
  core::Config one = config;
  for (const std::string& name : config.names("device"))
    if (name != device) one.drop(core::cat("device.", name));
  return one;
}

/// "failed" before "running" before "stopped".
int urgency(std::string_view state) { return state == "failed" ? 2 : state == "running" ? 1 : 0; }

/// `more` is the report of another device of the same protocol.
void join(Json& report, const Json& more) {
  if (urgency(more["state"].text()) > urgency(report["state"].text())) {
    report.set("state", more["state"]);
    report.set("reason", more["reason"]);
  }
  // Instants of FHIR compare as text.
  if (more["last_seen"].text() > report["last_seen"].text())
    report.set("last_seen", more["last_seen"]);
  if (const auto count = more["connections"].integer())
    report.set("connections", report["connections"].integer().value_or(0) + *count);
  Json devices = report["devices"];
  for (const Json& device : more["devices"].items()) devices.add(device);
  report.set("devices", std::move(devices));
}

}  // namespace

std::string listener_of(const std::string& device, std::string_view protocol) {
  return protocol == "mqtt" ? std::string(kBrokersListener) : core::cat("device ", device);
}

DeviceListeners::Listener::Listener(DeviceListeners& of, const std::string& name,
                                    std::string of_protocol, std::string of_device)
    : all(of),
      protocol(std::move(of_protocol)),
      device(std::move(of_device)),
      component(
          of.loop_, name, kRetry, [this] { return begin(); }, of.changed_) {}

core::Status DeviceListeners::Listener::begin() {
  if (!all.held_because_.empty()) return core::Error(core::Code::busy, all.held_because_);
  if (!adapter) {
    GW_TRY(adapter, all.make(protocol, device));
  }
  try {
    return adapter->start();
  } catch (const std::system_error&) {
    return core::Error(core::Code::busy, "there is no thread left for it; have fewer devices");
  }
}

DeviceListeners::DeviceListeners(boost::asio::any_io_executor loop, const core::Config& config,
                                 const Settings& settings, const sync::HoldingsDoor& door,
                                 const core::Clock& clock, std::function<void()> changed)
    : loop_(std::move(loop)),
      config_(config),
      settings_(settings),
      door_(door),
      clock_(clock),
      changed_(std::move(changed)),
      leaving_timer_(loop_) {}

DeviceListeners::Made DeviceListeners::make(const std::string& protocol,
                                            const std::string& device) {
  if (protocol == "dicom") return make_dicom();
  if (protocol == "mqtt") return make_brokers();
  const core::Config config = only(config_, device);
  if (protocol == "folder") {
    GW_TRY(auto folders, folder_server(config, door_, clock_));
    return Made(std::move(folders));
  }
  if (protocol == "astm") {
    GW_TRY(auto devices, adapters::astm::astm_devices(config, core::system_files()));
    return Made(adapters::astm::AstmServer::create(std::move(devices), door_, clock_));
  }
  if (protocol == "poct1a") {
    GW_TRY(auto devices, adapters::poct1a::poct1a_devices(config, core::system_files()));
    return Made(adapters::poct1a::make_poct1a_server(std::move(devices), door_, clock_));
  }
  if (protocol == "socket") {
    GW_TRY(auto devices, adapters::thirdparty::socket_devices(config, core::system_files()));
    return Made(adapters::thirdparty::make_socket_server(std::move(devices), file_decoders(clock_),
                                                         door_, clock_));
  }
  GW_TRY(auto devices, adapters::hl7::hl7_devices(config));
  return Made(adapters::hl7::Hl7Server::create(std::move(devices), door_, clock_));
}

DeviceListeners::Made DeviceListeners::make_dicom() {
  dicom_is_short_ = !settings_.dicom_fault.empty() || !settings_.left_out_dicom_peers.empty();
  if (!settings_.dicom_fault.empty())
    return core::Error(core::Code::invalid, settings_.dicom_fault);
  GW_TRY(auto options, adapters::dicom::dicom_options(config_));
  options.left_out_titles = settings_.left_out_dicom_peers;
  return Made(adapters::dicom::DicomServer::create(std::move(options), door_, clock_));
}

DeviceListeners::Made DeviceListeners::make_brokers() const {
  GW_TRY(auto brokers, adapters::mqtt::brokers(config_, core::system_files()));
  return Made(adapters::mqtt::MqttServer::create(
      std::move(brokers), door_, clock_,
      [loop = loop_, changed = changed_] { boost::asio::post(loop, changed); }));
}

void DeviceListeners::begin_one(const std::string& name, const std::string& protocol,
                                const std::string& device) {
  const auto [listener, is_new] = listeners_.try_emplace(name, *this, name, protocol, device);
  if (is_new) listener->second.component.start();
}

void DeviceListeners::begin_wanted() {
  // A hub without modalities of its own has no use for the port.
  if (!settings_.is_hub || config_.has("dicom.port"))
    begin_one(std::string(kDicomListener), "dicom", "");
  for (const std::string& device : config_.names("device")) {
    const std::string protocol = config_.text(core::cat("device.", device, ".protocol"));
    begin_one(listener_of(device, protocol), protocol, protocol == "mqtt" ? "" : device);
  }
}

void DeviceListeners::start() { begin_wanted(); }

void DeviceListeners::change(const std::set<std::string>& names) {
  std::set<std::string> ending = names;
  if (dicom_is_short_) ending.emplace(kDicomListener);
  // All of them end before any begins: one may want the port another had.
  for (const std::string& name : ending) {
    const auto listener = listeners_.find(name);
    if (listener == listeners_.end()) continue;
    listener->second.component.stop();
    let_go(std::move(listener->second.adapter));
    listeners_.erase(listener);
  }
  begin_wanted();
}

void DeviceListeners::let_go(Adapter adapter) {
  if (!adapter || adapter->leave()) return;
  leaving_.push_back(std::move(adapter));
  if (leaving_.size() > kLeavingMax) leaving_.pop_front();
  see_off();
}

void DeviceListeners::see_off() {
  std::erase_if(leaving_, [](const Adapter& one) { return one->leave(); });
  if (leaving_.empty()) return;
  leaving_timer_.expires_after(kLeavingLook);
  leaving_timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) see_off();
  });
}

void DeviceListeners::stop() {
  *alive_ = false;
  leaving_timer_.cancel();
  leaving_.clear();
  for (auto& [name, one] : listeners_) {
    one.component.stop();
    if (one.adapter) one.adapter->stop();
  }
}

void DeviceListeners::hold(const std::string& reason) {
  held_because_ = reason;
  leaving_.clear();
  for (auto& [name, one] : listeners_) {
    if (!one.component.running()) continue;
    one.adapter->stop();
    one.component.failed(core::Error(core::Code::busy, reason), true);
  }
}

std::vector<Problem> DeviceListeners::problems() const {
  std::vector<Problem> found;
  for (const auto& [name, one] : listeners_) {
    if (!one.component.problem().empty()) found.push_back({name, one.component.problem()});
  }
  for (const auto& [name, one] : listeners_) {
    if (!one.adapter) continue;
    for (Problem& problem : device_problems(one.adapter->report()))
      found.push_back(std::move(problem));
  }
  return found;
}

Json DeviceListeners::report_of(std::string_view protocol) const {
  Json report;
  for (const auto& [name, one] : listeners_) {
    if (one.protocol != protocol || !one.adapter) continue;
    Json of_one = one.adapter->report();
    if (report.is_null()) {
      report = std::move(of_one);
    } else {
      join(report, of_one);
    }
  }
  return report;
}

void DeviceListeners::report(Vitals& vitals) const {
  vitals.dicom = report_of("dicom");
  vitals.hl7 = report_of("hl7");
  vitals.astm = report_of("astm");
  vitals.poct1a = report_of("poct1a");
  vitals.folder = report_of("folder");
  vitals.mqtt_devices = report_of("mqtt");
  vitals.socket = report_of("socket");
}

adapters::frame::LineRecorder* DeviceListeners::recorder(const std::string& device) {
  for (auto& [name, one] : listeners_) {
    if (!one.adapter) continue;
    if (auto* found = one.adapter->recorder(device)) return found;
  }
  return nullptr;
}

std::vector<Watchdog::Part> DeviceListeners::watchdog_parts() const {
  std::vector<Watchdog::Part> parts;
  for (const auto& [name, one] : listeners_) {
    parts.push_back({name, [&listener = one]() -> std::optional<std::uint64_t> {
                       if (!listener.component.running()) return std::nullopt;
                       return listener.adapter->turns();
                     }});
  }
  return parts;
}

}  // namespace gateway::daemon
