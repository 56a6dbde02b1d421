// clinic-gateway letters [show|retry]: messages of devices that could not be read, mapped or given
// a patient, and what a person does about them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

void add_letters_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
