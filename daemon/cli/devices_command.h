// clinic-gateway devices list|profiles|test|add|remove: the clinic's analyzers, and the profiles
// that say how their models speak. `test` needs no daemon; `add` and `remove` write a file of their
// own beside the configuration, which the daemon reads when it starts.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

void add_devices_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
