#include "daemon/ops/alarms.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/text.h"
#include "daemon/ops/vitals.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;
using sync::CentralAlarm;

constexpr char kWarning[] = "warning";
constexpr char kCritical[] = "critical";
// Without these nothing is taken in, or something that was taken in may be gone.
constexpr std::array<std::string_view, 7> kCriticalParts{
    "battery", kCriticalComponent, "database", "disk", kDiskFailureComponent, "restore", "storage"};

void add_problems(std::vector<CentralAlarm>& alarms, const Json& problems) {
  for (const Json& problem : problems.items()) {
    const std::string_view part = problem["component"].text();
    const bool is_limit = part.starts_with(kLimitComponent);
    const std::string name =
        is_limit ? cat("limit/", part.substr(kLimitComponent.size())) : cat("part/", part);
    const auto known = std::ranges::find(alarms, name, &CentralAlarm::name);
    if (known != alarms.end()) {
      known->text += cat("; ", problem["problem"].text());
      continue;
    }
    const bool critical = is_limit || std::ranges::count(kCriticalParts, part) > 0;
    alarms.push_back(
        {name, critical ? kCritical : kWarning, std::string(problem["problem"].text())});
  }
}

void add_uplinks(std::vector<CentralAlarm>& alarms, const Json& uplinks) {
  for (const Json& uplink : uplinks.items()) {
    const std::string_view name = uplink["name"].text();
    if (uplink["state"].text() == "down") {
      alarms.push_back({cat("uplink/", name), kWarning,
                        cat("the uplink ", name, " does not get through; what is queued waits")});
    }
    if (uplink["parked"].integer().value_or(0) > 0) {
      alarms.push_back(
          {cat("refused/", name), kWarning,
           cat("the uplink ", name,
               " refused items that now wait for a person; see clinic-gateway queue")});
    }
  }
}

void add_certificates(std::vector<CentralAlarm>& alarms, const Json& certificates) {
  for (const Json& row : certificates.items()) {
    const std::string_view key = row["key"].text();
    const auto days = row["days_left"].integer();
    if (!days) {
      alarms.push_back(
          {cat("certificate/", key), kWarning,
           cat("the certificate of ", key, " cannot be read; see clinic-gateway doctor")});
    } else if (*days < 0) {
      alarms.push_back(
          {cat("certificate/", key), kCritical,
           cat("the certificate of ", key, " ended on ", row["ends"].text(), "; renew the file")});
    } else if (*days <= kCertificateWarningDays) {
      alarms.push_back({cat("certificate/", key), kWarning,
                        cat("the certificate of ", key, " ends on ", row["ends"].text(), ", in ",
                            *days, " days; renew the file")});
    }
  }
}

}  // namespace

std::vector<CentralAlarm> alarms_of(const Json& health, const Json& certificates) {
  std::vector<CentralAlarm> alarms;
  add_problems(alarms, health["problems"]);
  add_uplinks(alarms, health["uplinks"]);
  add_certificates(alarms, certificates);
  return alarms;
}

}  // namespace gateway::daemon
