// The console's HTTPS listener and what is behind it: the pages (daemon/console/, compiled in)
// below /console/, their JSON below /console/api/ (console_api.h); beside it /metrics
// (metrics_face.h). Off unless console.port is set. Works LOCKED as far as to say so.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon::console {

std::vector<core::ConfigKey> console_config_keys();

struct ConsoleMistake {
  std::string key;
  std::string what;
};
/// What the table of keys cannot see.
std::vector<ConsoleMistake> check_console(const core::Config& config);

class ConsoleServer {
 public:
  /// Listens as [console] says. `ask` is run on `loop`; `door` and `clock` outlive it.
  static core::Result<std::unique_ptr<ConsoleServer>> start(
      const core::Config& config, const std::string& site, boost::asio::any_io_executor loop,
      const sync::HoldingsDoor& door, const core::Clock& clock, ControlAsk ask);
  /// Ends the connections. May run on the loop's thread: nobody waits for the loop then.
  virtual ~ConsoleServer() = default;
  virtual std::uint16_t port() const = 0;
  /// The account is gone.
  virtual void end_sessions(std::string_view account) = 0;
};

}  // namespace gateway::daemon::console
