#include "crypto/backup_place.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "core/text.h"

namespace gateway::crypto {
namespace {

using std::filesystem::path;
using Inode = std::pair<dev_t, ino_t>;

path place_of(const path& folder) {
  std::error_code failed;
  const path absolute = std::filesystem::absolute(folder, failed).lexically_normal();
  path place = std::filesystem::weakly_canonical(absolute, failed);
  if (failed) place = absolute;
  return place.has_filename() ? place : place.parent_path();
}

/// Empty where there is nothing, or nothing we may look at.
std::set<Inode> inode_of(const path& folder) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) return {};
  return {{facts.st_dev, facts.st_ino}};
}

bool is_at_or_below(const path& place, const path& top) {
  const path relative = place.lexically_relative(top);
  return !relative.empty() && *relative.begin() != "..";
}

void add_folders_in(const path& folder, std::vector<path>& folders) {
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code unknown;
    if (entry->is_directory(unknown)) folders.push_back(entry->path());
  }
}

/// The state folder and what lies in it as deep as folders go: objects/<2 hex>/.
std::vector<path> folders_of_state(const path& state) {
  std::vector<path> folders{state};
  add_folders_in(state, folders);
  const std::size_t first_level = folders.size();
  for (std::size_t at = 1; at < first_level; ++at) add_folders_in(path(folders[at]), folders);
  return folders;
}

bool any_above(const path& place, const std::set<Inode>& wanted) {
  for (path at = place;; at = at.parent_path()) {
    for (const Inode& inode : inode_of(at)) {
      if (wanted.contains(inode)) return true;
    }
    if (at == at.parent_path()) return false;
  }
}

bool meets(const path& target, const path& state) {
  std::set<Inode> ours;
  const std::vector<path> folders = folders_of_state(state);
  for (const path& folder : folders) ours.merge(inode_of(folder));
  if (is_at_or_below(target, state) || any_above(target, ours)) return true;
  for (const path& folder : folders) {
    const path place = place_of(folder);
    if (is_at_or_below(place, target) || any_above(place, inode_of(target))) return true;
  }
  // What a run writes into may itself be a link or a mount.
  for (const char* part : {"objects", "database", "runs"}) {
    if (any_above(place_of(target / part), ours)) return true;
  }
  return false;
}

}  // namespace

std::string true_place(const std::string& folder) { return place_of(folder).string(); }

core::Status check_backup_place(const std::string& folder, const std::string& state_folder) {
  if (!meets(place_of(folder), place_of(state_folder))) return {};
  return core::Error(
      core::Code::refused,
      core::cat(folder, " is the gateway's state folder (", state_folder,
                "), lies inside it or contains it: a backup there would destroy what it is to "
                "save; choose a folder of its own, on another disk"));
}

}  // namespace gateway::crypto
