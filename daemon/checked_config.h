// The configuration read and checked as a whole: what --check-config says, and what a reload is
// taken from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/config.h"

namespace gateway::daemon {

/// By the key that names a file (or a device's profile): something that is another where the file
/// is another or was written again. Absent where there is no such file.
using FileMarks = std::map<std::string, std::string>;

/// Reads the file system.
FileMarks file_marks(const core::Config& config);

struct CheckedConfig {
  core::Config config;
  std::vector<std::string> mistakes;  // FILE:LINE: KEY: what; none: it can be used as it is
  FileMarks files;
};

/// `file` and what lies in conf.d beside it. Reads the file system; opens no connection.
CheckedConfig read_checked_config(const std::string& file, bool is_hub);

/// What the role needs and the configuration does not say, as the mistakes; empty: nothing.
std::string role_mistake(const core::Config& config, bool is_hub, const std::string& file);

}  // namespace gateway::daemon
