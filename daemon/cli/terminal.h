// Asking a person for a secret.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace gateway::cli {

/// True when standard input is a terminal.
bool is_interactive();

/// One line from the terminal, not echoed, or the first line of standard input when it is no
/// terminal. The caller wipes it. Code::invalid when it is empty or over 4,096 bytes, said of
/// `what`.
core::Result<std::string> read_secret(const std::string& prompt,
                                      std::string_view what = "passphrase");

}  // namespace gateway::cli
