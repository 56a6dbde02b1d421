#include "daemon/ops/certificates.h"

#include "core/net/certificate_file.h"
#include "daemon/config_paths.h"
#include "daemon/settings.h"

namespace gateway::daemon {

using core::Json;

std::vector<std::pair<std::string, std::string>> certificate_files(const core::Config& config) {
  std::vector<std::pair<std::string, std::string>> files;
  const std::vector<core::ConfigKey> keys = all_config_keys();
  for (const auto& [path, key] : keys_that_are_set(config, keys)) {
    if (path.ends_with("certificate_file") || path.ends_with("ca_file"))
      files.emplace_back(path, config.text(path));
  }
  return files;
}

Json certificates_report(const std::vector<std::pair<std::string, std::string>>& files,
                         core::Wall now) {
  Json rows = Json::array();
  for (const auto& [key, file] : files) {
    const auto dates = core::net::read_certificate_dates(file, now);
    Json row = Json::object({{"key", key}, {"file", file}});
    row.set("subject", dates.ok() ? Json(dates->subject) : Json());
    row.set("ends", dates.ok() ? Json(dates->ends) : Json());
    row.set("days_left", dates.ok() ? Json(dates->days_left) : Json());
    row.set("ends_at_s", dates.ok() ? Json(dates->ends_at_s) : Json());
    row.set("problem", dates.ok() ? "" : dates.error().message());
    rows.add(std::move(row));
  }
  return rows;
}

}  // namespace gateway::daemon
