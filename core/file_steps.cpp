#include "core/file_steps.h"

namespace gateway::core {

Status remove_if_there(Files& files, const std::string& path) {
  auto gone = files.remove(path);
  if (!gone.ok() && gone.error().code() == Code::not_found) return {};
  return gone;
}

}  // namespace gateway::core
