// The command's side of the control socket, and what its exit codes mean.
#pragma once

#include <string>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"

namespace gateway::cli {

/// Part of the interface: documented in --help and clinic-gateway(1).
enum ExitCode {
  kOk = 0,
  kFailed = 1,       // the gateway said no, or doctor found a failure
  kUsage = 2,        // the command line is wrong
  kUnreachable = 3,  // the daemon does not answer on its socket
  kLocked = 4,       // the gateway must be unlocked first
};

/// One request; the answer's JSON. The daemon's {"error":...} comes back as an Error with its code;
/// Code::unavailable says the socket did not answer and what to do.
core::Result<core::Json> ask(const std::string& socket, core::net::HttpRequest request,
                             core::Milliseconds timeout);

/// The same for an answer that is bytes, not JSON.
core::Result<std::string> ask_bytes(const std::string& socket, core::net::HttpRequest request,
                                    core::Milliseconds timeout);

ExitCode exit_code(const core::Error& error);

}  // namespace gateway::cli
