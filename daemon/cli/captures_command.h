// clinic-gateway devices capture, captures and replay: recordings of live devices.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

/// Adds them to `devices`.
void add_capture_commands(CLI::App& devices, const CommonOptions& common,
                          const std::string& config_file, std::function<int()>& action);

}  // namespace gateway::cli
