// Uplinks a person has paused: kept across restarts until they are resumed. Inside the caller's
// transaction or snapshot.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

core::Status keep_paused(crypto::Connection& connection, const std::string& uplink, bool paused);
core::Result<std::vector<std::string>> paused_uplinks(crypto::Connection& connection);

}  // namespace gateway::sync
