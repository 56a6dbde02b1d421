// What the daemon tells systemd (sd_notify(3)). Without systemd every call does nothing.
#pragma once

#include <optional>
#include <string>

#include "core/clock.h"

namespace gateway::daemon {

/// READY=1 with a STATUS= line; again with each new line.
void notify_ready(const std::string& status_line);
/// RELOADING=1, until notify_ready().
void notify_reloading();
void notify_stopping();
void notify_watchdog();
/// Within which systemd wants a watchdog message; absent when it watches nothing.
std::optional<core::Milliseconds> watchdog_period();

}  // namespace gateway::daemon
