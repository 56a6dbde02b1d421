#include "daemon/config_paths.h"

#include "core/text.h"

namespace gateway::daemon {
namespace {

void expand(const core::Config& config, const std::string& path, std::vector<std::string>& found) {
  const auto star = path.find(".*");
  if (star == path.npos) {
    if (config.has(path)) found.push_back(path);
    return;
  }
  for (const std::string& name : config.names(path.substr(0, star)))
    expand(config, core::cat(path.substr(0, star + 1), name, path.substr(star + 2)), found);
}

}  // namespace

std::vector<std::string> paths_of(const core::Config& config, const core::ConfigKey& key) {
  std::vector<std::string> paths;
  expand(config, key.path, paths);
  return paths;
}

std::vector<std::pair<std::string, const core::ConfigKey*>> keys_that_are_set(
    const core::Config& config, const std::vector<core::ConfigKey>& keys) {
  std::vector<std::pair<std::string, const core::ConfigKey*>> set;
  for (const core::ConfigKey& key : keys) {
    for (std::string& path : paths_of(config, key)) set.emplace_back(std::move(path), &key);
  }
  return set;
}

}  // namespace gateway::daemon
