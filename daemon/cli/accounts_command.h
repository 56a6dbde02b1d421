// clinic-gateway accounts [add|list|remove]: the people who sign in at the console.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

void add_accounts_commands(CLI::App& app, const CommonOptions& common,
                           std::function<int()>& action);

}  // namespace gateway::cli
