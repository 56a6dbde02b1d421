#include "adapters/frame/settling_files.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::adapters::frame {

void SettlingFiles::wrote(const std::string& name) { seen_[name].is_open = true; }

void SettlingFiles::closed(const std::string& name) { seen_[name].is_open = false; }

void SettlingFiles::lost_track() {
  for (auto& [name, seen] : seen_) seen.is_open = false;
}

std::vector<RestingFile> SettlingFiles::look(const std::map<std::string, FileStamp>& there,
                                             core::Monotonic now) {
  std::erase_if(seen_, [&](const auto& one) { return !there.contains(one.first); });
  std::vector<RestingFile> resting;
  for (const auto& [name, stamp] : there) {
    Seen& seen = seen_[name];
    if (!seen.is_looked_at || seen.stamp != stamp) {
      seen.stamp = stamp;
      seen.since = now;
      seen.is_looked_at = true;
    }
    const auto rested = std::chrono::duration_cast<core::Milliseconds>(now - seen.since);
    if (!seen.is_open && rested >= quiet_) resting.push_back({name, stamp, rested});
  }
  std::stable_sort(resting.begin(), resting.end(),
                   [](const auto& one, const auto& other) { return one.rested > other.rested; });
  return resting;
}

bool is_unfinished_name(const std::string& name) {
  const std::string lower = core::to_lower_ascii(name);
  return lower.starts_with('.') || lower.starts_with("~$") ||
         std::ranges::any_of(
             std::initializer_list<const char*>{".tmp", ".part", ".partial", ".filepart",
                                                ".crdownload", ".writing"},
             [&](const char* end) { return lower.ends_with(end); });
}

}  // namespace gateway::adapters::frame
