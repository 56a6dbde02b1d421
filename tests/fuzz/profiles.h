// The shipped profiles of one protocol, read once.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string_view>
#include <vector>

#include "adapters/profiles/profile.h"
#include "core/files.h"
#include "core/text.h"

namespace gateway::fuzz {

inline std::vector<adapters::profiles::Profile> shipped_profiles(std::string_view protocol) {
  std::vector<adapters::profiles::Profile> found;
  core::Files& files = core::system_files();
  const auto ids = adapters::profiles::profile_ids(files, {GATEWAY_PROFILES, ""});
  for (const std::string& id : ids.value()) {
    auto profile = adapters::profiles::load_profile(files, core::cat(GATEWAY_PROFILES, "/", id));
    if (profile.value().protocol == protocol) found.push_back(std::move(*profile));
  }
  if (found.empty()) {
    std::cerr << "no shipped profile speaks " << protocol << "\n";
    std::abort();
  }
  return found;
}

}  // namespace gateway::fuzz
