// The devices of one protocol that call the gateway: a listener for each, all on one thread, with
// what the adapter reports of them.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "adapters/adapter.h"
#include "adapters/frame/device_traffic.h"
#include "adapters/frame/listeners.h"
#include "core/clock.h"

namespace gateway::adapters::frame {

/// Threads as Adapter says.
class CalledDevices final : public Adapter {
 public:
  /// `name`: the adapter's. `clock` outlives it.
  CalledDevices(std::string name, const core::Clock& clock);
  ~CalledDevices() override { CalledDevices::stop(); }

  /// Adds to a device's report what its protocol knows besides; from any thread.
  using Tell = std::function<void(core::Json& report)>;
  /// Before start(). `options` and `traffic` outlive it.
  void add(const DeviceOptions& options, DeviceTraffic& traffic, MakeConversation make, Tell tell);

  std::string_view name() const override { return name_; }
  core::Status start() override;
  void stop() override;
  core::Json report() const override;
  std::optional<std::uint64_t> turns() const override { return listeners_->turns(); }
  LineRecorder* recorder(const std::string& device) override;
  /// The port of a device's listener that runs.
  std::uint16_t port(const std::string& device) const { return listeners_->port(device); }

 private:
  struct Device {
    const DeviceOptions& options;
    DeviceTraffic& traffic;
    Tell tell;
  };

  const std::string name_;
  const core::Clock& clock_;
  std::list<Device> devices_;
  std::unique_ptr<Listeners> listeners_;
  mutable std::mutex mutex_;
  bool running_ = false;
  std::string reason_;
};

}  // namespace gateway::adapters::frame
