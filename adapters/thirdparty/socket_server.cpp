#include "adapters/thirdparty/socket_server.h"

#include <list>

#include "adapters/frame/called_devices.h"
#include "adapters/thirdparty/conversation.h"

namespace gateway::adapters::thirdparty {
namespace {

struct Served {
  FileDecoders decoders;
  std::list<ServedProgram> programs;
};

}  // namespace

std::unique_ptr<Adapter> make_socket_server(std::vector<SocketDevice> devices,
                                            FileDecoders decoders, const sync::HoldingsDoor& door,
                                            const core::Clock& clock) {
  // Both calls hold it: it lives as long as the adapter.
  const auto all = std::make_shared<Served>();
  all->decoders = std::move(decoders);
  auto called = std::make_unique<frame::CalledDevices>("socket", clock);
  for (SocketDevice& device : devices) {
    ServedProgram& served = all->programs.emplace_back(std::move(device));
    called->add(
        served.device.device.options, served.traffic,
        [all, &served, &door, &clock](const std::string& /*peer*/) {
          return make_conversation(served, all->decoders, door, clock);
        },
        [all, &served](core::Json& report) {
          const profiles::Profile& profile = served.device.device.profile;
          if (!profile.id.empty()) report.set("revision", profile.revision);
        });
  }
  return called;
}

}  // namespace gateway::adapters::thirdparty
