// Steps over the seam to the file system that one room after the other takes.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"

namespace gateway::core {

/// No names where there is no such folder.
Result<std::vector<std::string>> list_if_there(Files& files, const std::string& folder);
/// Code::not_found is what is wanted.
Status remove_if_there(Files& files, const std::string& path);

/// Once more after Code::io: a drive may give on the second try what it refused on the first.
template <class Attempt>
auto try_twice(const Attempt& attempt) {
  auto first = attempt();
  if (first.ok() || first.error().code() != Code::io) return first;
  return attempt();
}
/// What cannot be read then is damaged, where the rest does not depend on it: Code::corrupt. Only
/// around reading: a failing write says nothing of what is there.
template <class Attempt>
auto try_twice_or_damaged(const Attempt& attempt) -> decltype(attempt()) {
  auto read = try_twice(attempt);
  if (read.ok() || read.error().code() != Code::io) return read;
  return Error(Code::corrupt, read.error().message());
}

}  // namespace gateway::core
