// Small files that hold wrapped keys: what they held before must not lie about on the disk.
#pragma once

#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"

namespace gateway::crypto {

/// As core::write_file_durably(); the bytes of the file it takes the place of are overwritten
/// afterwards. Killed in between, they stay in blocks nobody names any more.
core::Status replace_secret_file(core::Files& files, const std::string& path,
                                 std::string_view content);

}  // namespace gateway::crypto
