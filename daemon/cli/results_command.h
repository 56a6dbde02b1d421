// clinic-gateway results [release]: what devices told and no person has answered for yet.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

void add_results_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
