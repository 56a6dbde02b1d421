// clinic-gateway keys list|add|remove|prove|unlock|recover, and unlock, its short form. Secrets
// come from the terminal or standard input, never from the command line or the environment.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

/// Adds the commands to `app`. The chosen one puts what it does into `action`; `common` is read
/// when that runs. Both outlive the parsing.
void add_keys_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

/// The same as the commands unlock and keys add recovery, for who sets a gateway up.
int unlock_gateway(const CommonOptions& common);
int add_recovery_code(const CommonOptions& common);

}  // namespace gateway::cli
