// `clinic-gateway logs`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

/// Adds it to `app`; `action` is what the parsed command line then does.
void add_logs_command(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
