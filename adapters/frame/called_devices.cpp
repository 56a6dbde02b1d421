#include "adapters/frame/called_devices.h"

#include <algorithm>

namespace gateway::adapters::frame {

using core::Json;

CalledDevices::CalledDevices(std::string name, const core::Clock& clock)
    : name_(std::move(name)), clock_(clock), listeners_(Listeners::create()) {}

void CalledDevices::add(const DeviceOptions& options, DeviceTraffic& traffic, MakeConversation make,
                        Tell tell) {
  devices_.push_back({options, traffic, std::move(tell)});
  ListenerOptions listener = options.listener;
  listener.recorder = &traffic.recorder();
  listeners_->add(std::move(listener), std::move(make));
}

core::Status CalledDevices::start() {
  for (Device& device : devices_) device.traffic.watch(clock_.wall());
  auto started = listeners_->start();
  const std::lock_guard lock(mutex_);
  running_ = started.ok();
  reason_ = started.ok() ? "" : started.error().message();
  return started;
}

void CalledDevices::stop() {
  listeners_->stop();
  const std::lock_guard lock(mutex_);
  running_ = false;
}

LineRecorder* CalledDevices::recorder(const std::string& device) {
  const auto found = std::find_if(devices_.begin(), devices_.end(), [&](const Device& one) {
    return one.options.profile.name == device;
  });
  return found == devices_.end() ? nullptr : &found->traffic.recorder();
}

Json CalledDevices::report() const {
  Json devices = Json::array();
  core::Wall last{};
  for (const Device& device : devices_) {
    last = std::max(last, device.traffic.last_seen());
    Json one = device.traffic.report(device.options, clock_.wall());
    device.tell(one);
    devices.add(std::move(one));
  }
  const std::lock_guard lock(mutex_);
  return Json::object({{"name", name_},
                       {"state", running_          ? "running"
                                 : reason_.empty() ? "stopped"
                                                   : "failed"},
                       {"reason", reason_},
                       {"last_seen", instant_or_null(last)},
                       {"connections", static_cast<std::uint64_t>(listeners_->connections())},
                       {"devices", std::move(devices)}});
}

}  // namespace gateway::adapters::frame
