// What root's command writes for the service must be the service's.
#pragma once

#include <string>

#include "core/result.h"

namespace gateway::cli {

/// Gives everything in `folder` to the owner of `model`, a file or folder. Nothing to do unless
/// root runs it, nor on a file system without owners. Code::io.
core::Status give_tree_like(const std::string& folder, const std::string& model);

}  // namespace gateway::cli
