#include "daemon/checked_config.h"

#include <sys/stat.h>

#include <algorithm>

#include "adapters/profiles/profile.h"
#include "core/files.h"
#include "core/text.h"
#include "daemon/config_paths.h"
#include "daemon/settings.h"

namespace gateway::daemon {
namespace {

using core::cat;

/// A file that is replaced has another inode, one that is written another time.
std::string mark_of(const std::string& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return "";
  return cat(facts.st_ino, ' ', facts.st_size, ' ', facts.st_mtim.tv_sec, '.',
             facts.st_mtim.tv_nsec);
}

std::string profile_mark(const core::Config& config, const std::string& id) {
  const auto folder = adapters::profiles::profile_folder(core::system_files(),
                                                         adapters::profiles::shelf_of(config), id);
  if (!folder.ok()) return "";
  return cat(mark_of(*folder + "/profile.toml"), ' ', mark_of(*folder + "/codes.csv"));
}

}  // namespace

FileMarks file_marks(const core::Config& config) {
  FileMarks marks;
  const auto keys = all_config_keys();
  for (const auto& [path, key] : keys_that_are_set(config, keys)) {
    if (key->type != core::KeyType::text) continue;
    std::string mark;
    if (path.ends_with("_file")) mark = mark_of(config.text(path));
    if (key->path == "device.*.profile") mark = profile_mark(config, config.text(path));
    if (!mark.empty()) marks.emplace(path, std::move(mark));
  }
  return marks;
}

CheckedConfig read_checked_config(const std::string& file, bool is_hub) {
  const auto keys = all_config_keys();
  auto reading = core::Config::read(file, keys);
  CheckedConfig checked{std::move(reading.config), {}, {}};
  for (const core::ConfigMistake& mistake : reading.mistakes)
    checked.mistakes.push_back(mistake.line());
  // What could not be read would show as missing everywhere.
  const bool is_readable = std::none_of(
      reading.mistakes.begin(), reading.mistakes.end(), [](const core::ConfigMistake& mistake) {
        return mistake.kind == core::ConfigMistake::Kind::unreadable;
      });
  if (is_readable) {
    for (const Mistake& mistake : check_config(checked.config, keys))
      checked.mistakes.push_back(mistake.line());
  }
  std::string of_role = role_mistake(checked.config, is_hub, file);
  if (checked.mistakes.empty() && !of_role.empty()) checked.mistakes.push_back(std::move(of_role));
  checked.files = file_marks(checked.config);
  return checked;
}

std::string role_mistake(const core::Config& config, bool is_hub, const std::string& file) {
  if (!is_hub || config.has("api.port")) return "";
  return cat(file, ": api.port: a hub serves other gateways by its API; set [api]");
}

}  // namespace gateway::daemon
