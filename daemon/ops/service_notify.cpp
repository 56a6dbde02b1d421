#include "daemon/ops/service_notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

void notify(const std::string& message) {
  const int answer = sd_notify(0, message.c_str());
  if (answer < 0) core::log_warn("daemon", core::cat("sd_notify failed: errno ", -answer));
}

}  // namespace

void notify_ready(const std::string& status_line) {
  std::string line = status_line;
  std::replace(line.begin(), line.end(), '\n', ' ');
  notify(core::cat("READY=1\nSTATUS=", line));
}

void notify_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  constexpr std::int64_t kMicroseconds = 1'000'000;
  notify(core::cat("RELOADING=1\nMONOTONIC_USEC=",
                   std::int64_t{now.tv_sec} * kMicroseconds + now.tv_nsec / 1'000,
                   "\nSTATUS=reading the configuration"));
}

void notify_stopping() { notify("STOPPING=1\nSTATUS=stopping"); }

void notify_watchdog() { notify("WATCHDOG=1"); }

std::optional<core::Milliseconds> watchdog_period() {
  std::uint64_t period_us = 0;
  if (sd_watchdog_enabled(0, &period_us) <= 0) return std::nullopt;
  return core::Milliseconds(static_cast<std::int64_t>(period_us / 1000));
}

}  // namespace gateway::daemon
