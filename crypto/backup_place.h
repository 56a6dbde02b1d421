// Where a backup may lie: nowhere that the gateway itself works in. A backup has folders of the
// state folder's names, and would write over the objects in them.
#pragma once

#include <string>

#include "core/result.h"

namespace gateway::crypto {

/// The folder with every link on its way followed, as far as it exists.
std::string true_place(const std::string& folder);

/// Code::refused when `folder` is the state folder, lies inside it or contains it: by its path with
/// links followed, and by device and inode, which a bind mount cannot hide. Neither need exist.
/// Looks at the real file system; what it may not look at counts by its path alone.
core::Status check_backup_place(const std::string& folder, const std::string& state_folder);

}  // namespace gateway::crypto
