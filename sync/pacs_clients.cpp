#include "sync/pacs_clients.h"

#include <utility>

namespace gateway::sync {

core::Result<std::shared_ptr<core::net::HttpClient>> PacsClients::get(const std::string& uplink) {
  if (closed_) return core::Error(core::Code::cancelled, "the gateway stops");
  if (const auto found = clients_.find(uplink); found != clients_.end()) return found->second;
  GW_TRY(auto made, connect_(loop_, uplink));
  clients_[uplink] = made;
  return made;
}

void PacsClients::close() {
  closed_ = true;
  for (auto& [uplink, client] : clients_) client->close();
}

}  // namespace gateway::sync
