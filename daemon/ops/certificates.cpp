#include "daemon/ops/certificates.h"

#include "core/net/certificate_file.h"
#include "core/text.h"
#include "daemon/settings.h"

namespace gateway::daemon {

using core::cat;
using core::Json;

std::vector<std::pair<std::string, std::string>> certificate_files(const core::Config& config) {
  std::vector<std::pair<std::string, std::string>> files;
  const auto take = [&](const std::string& key) {
    if (config.has(key)) files.emplace_back(key, config.text(key));
  };
  for (const core::ConfigKey& key : all_config_keys()) {
    if (!key.path.ends_with("certificate_file") && !key.path.ends_with("ca_file")) continue;
    const auto star = key.path.find(".*.");
    if (star == key.path.npos) {
      take(key.path);
      continue;
    }
    const std::string table = key.path.substr(0, star);
    for (const std::string& name : config.names(table))
      take(cat(table, '.', name, key.path.substr(star + 2)));
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
