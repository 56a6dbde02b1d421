// GET /metrics for Prometheus (daemon/ops/metrics_text.h): for programs of this machine, and for
// who shows the bearer token whose SHA-256 is metrics.token_sha256. Works LOCKED.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/net/https_server.h"
#include "daemon/api/loop_bridge.h"
#include "daemon/ops/control.h"

namespace gateway::daemon {

std::vector<core::ConfigKey> metrics_config_keys();

/// `authorization`: the header. An empty `token_sha256` lets nobody in from elsewhere.
bool may_read_metrics(std::string_view address, std::string_view authorization,
                      const std::string& token_sha256);

class MetricsFace {
 public:
  /// `ask` is run on `loop`.
  MetricsFace(boost::asio::any_io_executor loop, ControlAsk ask, std::string token_sha256);
  core::net::Awaitable<core::net::HttpResponse> answer(core::net::HttpRequest request,
                                                       const core::net::HttpPeer& peer);
  /// Wakes what waits for the loop; before the HTTPS server goes.
  void close() { bridge_.close(); }

 private:
  core::net::Awaitable<core::Result<core::Json>> ask_control(std::string target);

  const ControlAsk ask_;
  const std::string token_sha256_;
  LoopBridge bridge_;
};

}  // namespace gateway::daemon
