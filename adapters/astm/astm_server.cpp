#include "adapters/astm/astm_server.h"

#include <algorithm>
#include <list>
#include <mutex>

#include "adapters/astm/conversation.h"
#include "adapters/frame/dialled_lines.h"
#include "adapters/frame/listeners.h"

namespace gateway::adapters::astm {
namespace {

using core::Json;

class Server final : public AstmServer {
 public:
  Server(std::vector<AstmDevice> devices, const sync::HoldingsDoor& door, const core::Clock& clock)
      : clock_(clock),
        listeners_(frame::Listeners::create()),
        lines_(frame::DialledLines::create()) {
    for (AstmDevice& device : devices) {
      ServedDevice& served = served_.emplace_back(std::move(device));
      auto make = [&served, &door, &clock](const std::string& peer) {
        return make_conversation(served, door, clock, peer);
      };
      frame::DeviceOptions& options = served.device.options;
      options.listener.recorder = &served.traffic.recorder();
      if (options.line) {
        options.line->recorder = &served.traffic.recorder();
        lines_->add(*options.line, std::move(make));
      } else {
        listeners_->add(options.listener, std::move(make));
      }
    }
  }
  ~Server() override { Server::stop(); }

  std::string_view name() const override { return "astm"; }
  core::Status start() override {
    for (ServedDevice& served : served_) served.traffic.watch(clock_.wall());
    auto started = listeners_->start();
    if (started.ok()) lines_->start();
    const std::lock_guard lock(mutex_);
    running_ = started.ok();
    reason_ = started.ok() ? "" : started.error().message();
    return started;
  }
  void stop() override {
    lines_->stop();
    listeners_->stop();
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  /// Both threads have to move.
  std::optional<std::uint64_t> turns() const override {
    const auto listening = listeners_->turns();
    const auto dialled = lines_->turns();
    if (!listening || !dialled) return listening;
    return std::min(*listening, *dialled);
  }
  std::uint16_t port(const std::string& device) const override { return listeners_->port(device); }

  frame::LineRecorder* recorder(const std::string& device) override {
    const auto found = std::find_if(served_.begin(), served_.end(), [&](const auto& one) {
      return one.device.options.profile.name == device;
    });
    return found == served_.end() ? nullptr : &found->traffic.recorder();
  }

  Json report() const override {
    Json devices = Json::array();
    core::Wall last{};
    for (const ServedDevice& served : served_) {
      last = std::max(last, served.traffic.last_seen());
      Json device = served.traffic.report(served.device.options, clock_.wall());
      device.set("revision", served.device.profile.revision);
      if (served.device.options.line) {
        const std::string problem = lines_->problem(served.device.options.profile.name);
        if (!problem.empty()) device.set("problem", problem);
      }
      devices.add(std::move(device));
    }
    const std::lock_guard lock(mutex_);
    return Json::object({{"name", "astm"},
                         {"state", running_          ? "running"
                                   : reason_.empty() ? "stopped"
                                                     : "failed"},
                         {"reason", reason_},
                         {"last_seen", frame::instant_or_null(last)},
                         {"connections", static_cast<std::uint64_t>(listeners_->connections() +
                                                                    lines_->connections())},
                         {"devices", std::move(devices)}});
  }

 private:
  const core::Clock& clock_;
  std::list<ServedDevice> served_;
  std::unique_ptr<frame::Listeners> listeners_;
  std::unique_ptr<frame::DialledLines> lines_;
  mutable std::mutex mutex_;
  bool running_ = false;
  std::string reason_;
};

}  // namespace

std::unique_ptr<AstmServer> AstmServer::create(std::vector<AstmDevice> devices,
                                               const sync::HoldingsDoor& door,
                                               const core::Clock& clock) {
  return std::make_unique<Server>(std::move(devices), door, clock);
}

}  // namespace gateway::adapters::astm
