#include "daemon/config_faults.h"

#include <algorithm>
#include <string_view>

#include "core/text.h"
#include "daemon/settings.h"

namespace gateway::daemon {
namespace {

using core::cat;
using Kind = core::ConfigMistake::Kind;

enum class Consequence { fatal, part, value, dicom };

bool is_below(std::string_view key, std::string_view table) {
  return key == table || (key.starts_with(table) && key.substr(table.size()).starts_with('.'));
}

Consequence consequence_of(std::string_view key, Kind kind) {
  if (kind == Kind::unreadable) return Consequence::fatal;
  for (const char* table : {"site", "storage", "keys", "control"})
    if (is_below(key, table)) return Consequence::fatal;
  if (is_below(key, "uplink") && key.ends_with(".kind")) return Consequence::fatal;
  const bool guards = is_below(key, "dicom") || is_below(key, "api") || is_below(key, "api_client");
  if (kind == Kind::unknown_key && !guards) return Consequence::value;
  // Without its users a peer would be served whoever uses it.
  if (is_below(key, "dicom.peer") && key.ends_with(".users")) return Consequence::dicom;
  for (const char* table : {"mqtt", "api", "api_client", "device", "dicom.peer"})
    if (is_below(key, table)) return Consequence::part;
  return is_below(key, "dicom") ? Consequence::dicom : Consequence::value;
}

/// The table that goes as a whole: one name of those a site chooses, or the table.
std::string part_of(const std::string& key) {
  for (const std::string_view table : {"api_client", "device", "dicom.peer"}) {
    if (!is_below(key, table)) continue;
    return key.substr(0, key.find('.', table.size() + 1));
  }
  return key.substr(0, key.find('.'));
}

}  // namespace

ConfigFaults leave_out_faults(core::Config::Reading& reading,
                              const std::vector<core::ConfigKey>& keys) {
  ConfigFaults faults;
  bool has_changed = false;
  const auto take = [&](const std::string& key, Kind kind, const std::string& line) {
    switch (consequence_of(key, kind)) {
      case Consequence::fatal:
        faults.fatal.push_back(line);
        return;
      case Consequence::part:
        faults.left_out.push_back(cat(line, " (until then without [", part_of(key), "])"));
        reading.config.drop(part_of(key));
        has_changed = true;
        return;
      case Consequence::dicom:
        faults.dicom = line;
        faults.left_out.push_back(cat(line, " (until then without DICOM)"));
        reading.config.drop(key);
        has_changed = true;
        return;
      case Consequence::value:
        faults.left_out.push_back(line);
        // An uplink shows for itself what is wrong with it; a search must not be asked as it is.
        if (is_below(key, "uplink") && !key.ends_with(".pull")) return;
        reading.config.drop(key);
        has_changed = true;
    }
  };
  for (const core::ConfigMistake& mistake : reading.mistakes)
    take(mistake.key, mistake.kind, mistake.line());
  if (!faults.fatal.empty()) return faults;
  // What is taken out may leave something alone that needed it.
  std::vector<std::string> seen;
  do {
    has_changed = false;
    faults.absent.clear();
    for (const Mistake& mistake : check_config(reading.config, keys)) {
      const std::string line = mistake.line();
      if (!mistake.fatal) {
        faults.absent.push_back(line);
      } else if (std::find(seen.begin(), seen.end(), line) == seen.end()) {
        seen.push_back(line);
        take(mistake.key, Kind::wrong_value, line);
      }
    }
  } while (has_changed && faults.fatal.empty());
  return faults;
}

}  // namespace gateway::daemon
