// What of a changed configuration can hold while the gateway works, whom it concerns, and what has
// to wait for a restart. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/config.h"
#include "daemon/checked_config.h"

namespace gateway::daemon {

struct ReloadPlan {
  std::vector<std::string> taken;       // keys that hold from now on
  std::vector<std::string> at_restart;  // keys that hold after a restart
  std::vector<std::string> kept;        // what stays as it is until then: tables, or keys
  std::set<std::string> listeners;      // for DeviceListeners::change()
  bool log_level = false;
  bool power = false;
  bool api = false;
  bool console = false;
  bool uplinks = false;  // and upkeep
};

/// A key whose file was written again counts as one that changed, unless whoever uses the file
/// looks at it again by itself.
ReloadPlan plan_reload(const core::Config& now, const FileMarks& files_now,
                       const core::Config& next, const FileMarks& files_next);

}  // namespace gateway::daemon
