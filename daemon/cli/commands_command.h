// `clinic-gateway commands ...`: signs a command for a gateway, to be published over MQTT. At
// central operations; needs no daemon.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

void add_commands_commands(CLI::App& app, const CommonOptions& common,
                           std::function<int()>& action);

}  // namespace gateway::cli
