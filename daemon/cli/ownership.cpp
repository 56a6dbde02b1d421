#include "daemon/cli/ownership.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/text.h"

namespace gateway::cli {
namespace {

core::Error failed(const char* doing, const std::string& path, const std::error_code& why) {
  return {core::Code::io, core::cat(doing, ' ', path, ": ", why.message())};
}

}  // namespace

core::Status give_tree_like(const std::string& folder, const std::string& model) {
  if (::geteuid() != 0) return {};
  struct stat owner {};
  if (::stat(model.c_str(), &owner) != 0)
    return failed("stat", model, {errno, std::generic_category()});
  const auto give = [&owner](const std::string& path) -> core::Status {
    // FAT knows no owners, and root is refused only there: the mount says whose its files are.
    if (::lchown(path.c_str(), owner.st_uid, owner.st_gid) == 0 || errno == EPERM) return {};
    return failed("chown", path, {errno, std::generic_category()});
  };
  GW_CHECK(give(folder));
  std::error_code walked;
  for (std::filesystem::recursive_directory_iterator entry(folder, walked), end;
       !walked && entry != end; entry.increment(walked)) {
    GW_CHECK(give(entry->path().string()));
  }
  if (walked) return failed("list", folder, walked);
  return {};
}

}  // namespace gateway::cli
