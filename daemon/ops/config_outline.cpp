#include "daemon/ops/config_outline.h"

#include <set>
#include <string_view>

#include "daemon/config_paths.h"

namespace gateway::daemon {
namespace {

using core::Config;
using core::ConfigKey;
using core::Json;
using core::KeyType;

/// Texts that cannot hold a password or a token, whatever a site writes there.
bool is_shown(const ConfigKey& key) {
  static const std::set<std::string_view> kShown{"api.bind",
                                                 "backup.dir",
                                                 "commands.allowed",
                                                 "console.bind",
                                                 "control.socket",
                                                 "device.*.bind",
                                                 "device.*.folder",
                                                 "device.*.profile",
                                                 "device.*.character_set",
                                                 "device.*.socket",
                                                 "device.*.timezone",
                                                 "device.*.topic",
                                                 "dicom.bind",
                                                 "dicom.ae_title",
                                                 "dicom.peer.*.may",
                                                 "dicom.peer.*.character_set",
                                                 "log.level",
                                                 "mqtt.sparkplug_group",
                                                 "mqtt.topic_prefix",
                                                 "profiles.shipped_dir",
                                                 "profiles.site_dir",
                                                 "site.name",
                                                 "site.timezone",
                                                 "storage.state_dir",
                                                 "wear.dir",
                                                 "api_client.*.scopes"};
  if (key.type == KeyType::integer || key.type == KeyType::boolean) return true;
  return !key.choices.empty() || kShown.contains(key.path);
}

Json value_of(const Config& config, const std::string& path, KeyType type) {
  if (type == KeyType::integer) return config.integer(path);
  if (type == KeyType::boolean) return config.boolean(path);
  if (type == KeyType::text) return config.text(path);
  Json list = Json::array();
  for (const std::string& text : config.texts(path)) list.add(text);
  return list;
}

}  // namespace

Json config_outline(const Config& config, const std::vector<ConfigKey>& keys) {
  Json rows = Json::array();
  for (const auto& [path, key] : keys_that_are_set(config, keys)) {
    const bool shown = is_shown(*key);
    Json row = Json::object({{"key", path}, {"shown", shown}});
    if (shown) row.set("value", value_of(config, path, key->type));
    rows.add(std::move(row));
  }
  return rows;
}

}  // namespace gateway::daemon
