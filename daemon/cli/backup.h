// clinic-gateway backup: asks the daemon for what the folder lacks and writes it as its caller; the
// daemon itself can write nowhere but its state folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace gateway::cli {

/// {"run","created","files","written","bytes_written","verified","healed","removed",
/// "damaged":["<object>",...],"missing"}. Code::refused when the folder meets the state folder.
core::Result<core::Json> back_up(const std::string& socket, const std::string& folder);
/// Reads the whole backup and notes there what is bad, for the next run:
/// {"files","bad":["PATH: what is wrong",...],"unnoted":"why that could not be noted"}. Needs
/// neither daemon nor key.
core::Result<core::Json> verify_backup(const std::string& folder);

std::string format_backup(const core::Json& outcome);
std::string format_verdict(const core::Json& verdict);

/// keys rotate WHAT; takes as long as it takes.
core::Result<core::Json> rotate_keys(const std::string& socket, const std::string& what,
                                     const std::vector<std::uint32_t>& given_up);
std::string format_rotation(const core::Json& answer);

}  // namespace gateway::cli
