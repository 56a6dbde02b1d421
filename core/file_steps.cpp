#include "core/file_steps.h"

namespace gateway::core {

Result<std::vector<std::string>> list_if_there(Files& files, const std::string& folder) {
  auto names = files.list(folder);
  if (!names.ok() && names.error().code() == Code::not_found) return std::vector<std::string>();
  return names;
}

Status remove_if_there(Files& files, const std::string& path) {
  auto gone = files.remove(path);
  if (!gone.ok() && gone.error().code() == Code::not_found) return {};
  return gone;
}

}  // namespace gateway::core
