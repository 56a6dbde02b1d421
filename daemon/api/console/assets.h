// The console's pages, compiled into the daemon from daemon/console/.
#pragma once

#include <string_view>

namespace gateway::daemon::console {

struct Asset {
  std::string_view name;  // "app.js"
  std::string_view type;  // "text/javascript; charset=utf-8"
  std::string_view bytes;
};

/// Null: there is none of that name.
const Asset* find_asset(std::string_view name);

}  // namespace gateway::daemon::console
