// clinic-gateway uplinks show: each way out, how it stands, and what the server at its other end
// was found to do.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

/// Adds the commands to `app`. The chosen one puts what it does into `action`; `common` is read
/// when that runs. Both outlive the parsing.
void add_uplinks_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
