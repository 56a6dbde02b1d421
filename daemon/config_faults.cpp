#include "daemon/config_faults.h"

#include <algorithm>
#include <string_view>

#include "core/config_change.h"
#include "core/text.h"
#include "daemon/settings.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::is_within;
using Kind = core::ConfigMistake::Kind;

enum class Consequence { fatal, part, value, dicom };

Consequence consequence_of(std::string_view key, Kind kind) {
  if (kind == Kind::unreadable) return Consequence::fatal;
  for (const char* table : {"site", "storage", "keys", "control"})
    if (is_within(key, table)) return Consequence::fatal;
  if (is_within(key, "uplink") && key.ends_with(".kind")) return Consequence::fatal;
  const bool guards =
      is_within(key, "dicom") || is_within(key, "api") || is_within(key, "api_client");
  if (kind == Kind::unknown_key && !guards) return Consequence::value;
  // Without its users a peer would be served whoever uses it.
  if (is_within(key, "dicom.peer") && key.ends_with(".users")) return Consequence::dicom;
  for (const char* table : {"mqtt", "api", "api_client", "device", "dicom.peer"})
    if (is_within(key, table)) return Consequence::part;
  return is_within(key, "dicom") ? Consequence::dicom : Consequence::value;
}

/// The table that goes as a whole: one name of those a site chooses, or the table.
std::string part_of(const std::string& key) {
  for (const std::string_view table : {"api_client", "device", "dicom.peer"}) {
    if (!is_within(key, table)) continue;
    return key.substr(0, key.find('.', table.size() + 1));
  }
  return key.substr(0, key.find('.'));
}

/// Who it was: it must not be taken for somebody the settings do not speak of.
void note_peer(const core::Config& config, const std::string& peer, ConfigFaults& faults) {
  const std::vector<std::string> known = config.names("dicom.peer");
  const std::string name = peer.substr(peer.rfind('.') + 1);
  if (std::find(known.begin(), known.end(), name) == known.end()) return;  // it was noted before
  const std::string title(core::trim(config.text(cat(peer, ".ae_title"))));
  faults.left_out_peers.push_back(title.empty() ? "*" : title);
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
        if (is_within(key, "dicom.peer")) note_peer(reading.config, part_of(key), faults);
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
        if (is_within(key, "uplink") && !key.ends_with(".pull")) return;
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
