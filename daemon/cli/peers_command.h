// clinic-gateway peers [list|approve|remove]: who calls by DICOM, and who may.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

void add_peers_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
