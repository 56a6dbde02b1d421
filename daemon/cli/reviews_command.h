// clinic-gateway reviews [show|take]: what clinic and hospital both changed, and what a person
// decides about it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

/// Adds the commands to `app`. The chosen one puts what it does into `action`; `common` is read
/// when that runs. Both outlive the parsing.
void add_reviews_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action);

}  // namespace gateway::cli
