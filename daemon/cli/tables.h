// The control socket's documents as text for people. Pure; missing members read as "-".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace gateway::cli {

/// Columns as wide as their widest cell (counted in code points), two blanks apart; the first row
/// is the heading. Control characters become '?', so that no stored text drives the terminal.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

std::string format_status(const core::Json& status);
std::string format_studies(const core::Json& answer);
std::string format_queue(const core::Json& answer);
std::string format_storage(const core::Json& answer);
std::string format_findings(const core::Json& answer);
/// 75 -> "1 min 15 s".
std::string format_duration(std::int64_t seconds);
/// 1610612736 -> "1.5 GB".
std::string format_bytes(std::int64_t bytes);

}  // namespace gateway::cli
