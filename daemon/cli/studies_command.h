// clinic-gateway studies show|send|delete|export|import: what a person does with a held study, and
// with DICOM files on media.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "daemon/cli/exchange.h"

namespace gateway::cli {

/// Below `studies`.
void add_studies_commands(CLI::App& studies, const CommonOptions& common,
                          std::function<int()>& action);

}  // namespace gateway::cli
