// What every command does: ask the daemon, print its answer as text or JSON, say what went wrong.
#pragma once

#include <string>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "daemon/cli/client.h"

namespace gateway::cli {

constexpr core::Milliseconds kTimeout{15'000};
// Opening a large database after an upgrade, or probing far servers, takes its time.
constexpr core::Milliseconds kLongTimeout{40'000};

/// Given with every command.
struct CommonOptions {
  std::string socket;
  bool json = false;
};

core::net::HttpRequest get(std::string target);
core::net::HttpRequest post(std::string target, std::string body);

/// The error for people, and as JSON where that was asked for. The exit code.
int complain(const CommonOptions& options, const core::Error& error);

using Format = std::string (*)(const core::Json&);
int print(const CommonOptions& options, const core::Json& document, Format format);
int show(const CommonOptions& options, std::string target, Format format);

}  // namespace gateway::cli
