#include "adapters/poct1a/poct1a_server.h"

#include <list>

#include "adapters/frame/called_devices.h"
#include "adapters/poct1a/conversation.h"

namespace gateway::adapters::poct1a {
namespace {

class Server final : public Adapter {
 public:
  Server(std::vector<Poct1aDevice> devices, const sync::HoldingsDoor& door,
         const core::Clock& clock)
      : called_("poct1a", clock) {
    for (Poct1aDevice& device : devices) {
      ServedDevice& served = served_.emplace_back(std::move(device));
      called_.add(
          served.device.options, served.traffic,
          [&served, &door, &clock](const std::string& peer) {
            return make_conversation(served, door, clock, peer);
          },
          [&served](core::Json& report) { served.tell(report); });
    }
  }
  ~Server() override { called_.stop(); }

  std::string_view name() const override { return called_.name(); }
  core::Status start() override { return called_.start(); }
  void stop() override { called_.stop(); }
  std::optional<std::uint64_t> turns() const override { return called_.turns(); }
  core::Json report() const override { return called_.report(); }
  frame::LineRecorder* recorder(const std::string& device) override {
    return called_.recorder(device);
  }

 private:
  std::list<ServedDevice> served_;
  frame::CalledDevices called_;
};

}  // namespace

std::unique_ptr<Adapter> make_poct1a_server(std::vector<Poct1aDevice> devices,
                                            const sync::HoldingsDoor& door,
                                            const core::Clock& clock) {
  return std::make_unique<Server>(std::move(devices), door, clock);
}

}  // namespace gateway::adapters::poct1a
