// clinic-gateway criticals [acknowledge]: results that cannot wait, until somebody has taken note.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

void add_criticals_commands(CLI::App& app, const CommonOptions& common,
                            std::function<int()>& action);

}  // namespace gateway::cli
