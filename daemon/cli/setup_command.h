// `clinic-gateway setup`: from a fresh installation to a gateway that works, step by step at a
// terminal or from one file; again at any time, to change what is asked and leave the rest.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

/// Adds it to `app`; `action` is what the parsed command line then does.
void add_setup_command(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
