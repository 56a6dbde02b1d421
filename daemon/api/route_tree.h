// Several faces behind one HTTPS listener, by what their paths begin with. Filled before the server
// listens, read-only afterwards.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/net/https_server.h"

namespace gateway::daemon {

class RouteTree {
 public:
  /// "/console" takes "/console" and what is below it; the longest such prefix counts. "" takes
  /// what nobody else does.
  void mount(std::string prefix, core::net::HttpsHandler handler);
  /// The tree outlives what it answers; 404 where nobody is mounted.
  core::net::Awaitable<core::net::HttpResponse> answer(core::net::HttpRequest request,
                                                       const core::net::HttpPeer& peer) const;

 private:
  std::vector<std::pair<std::string, core::net::HttpsHandler>> faces_;
};

/// The target without its query.
std::string_view path_of(const core::net::HttpRequest& request);

}  // namespace gateway::daemon
