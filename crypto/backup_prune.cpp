// What a backup folder no longer needs once a new run counts.
#include <algorithm>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kNoiseBytes = 1U << 20;

}  // namespace

core::Status BackupFolder::prune(const std::string& run) {
  GW_CHECK(prune_runs(run));
  GW_CHECK(prune_data("database"));
  return prune_data("objects");
}

/// The key parts of earlier runs: what was shredded since opens with them.
core::Status BackupFolder::prune_runs(const std::string& run) {
  GW_TRY(const auto runs, files_.list(at("runs")));
  for (const std::string& old : runs) {
    if (old == run) continue;
    for (const char* sub : {"/epochs", ""}) {
      const std::string folder = at(run_path(old) + sub);
      auto names = files_.list(folder);
      if (!names.ok()) continue;  // no such folder
      for (const std::string& name : *names) {
        if (name == "epochs") continue;
        GW_CHECK(destroy(core::cat(folder, '/', name)));
      }
      GW_CHECK(files_.sync_folder(folder));
      GW_CHECK(files_.remove(folder));
    }
  }
  return files_.sync_folder(at("runs"));
}

core::Status BackupFolder::prune_data(const std::string& top) {
  auto fans = files_.list(at(top));
  if (!fans.ok()) return {};  // nothing of the kind was ever written
  for (const std::string& fan : *fans) {
    GW_TRY(const auto names, files_.list(at(core::cat(top, '/', fan))));
    for (const std::string& name : names) {
      const std::string path = core::cat(top, '/', fan, '/', name);
      if (now_.contains(path)) continue;
      GW_CHECK(files_.remove(at(path)));
      ++outcome_.removed;
    }
  }
  return {};
}

core::Status BackupFolder::destroy(const std::string& path) {
  {
    GW_TRY(auto file, files_.open_write(path));
    GW_TRY(const std::uint64_t size, file->size());
    for (std::uint64_t offset = 0; offset < size; offset += kNoiseBytes) {
      const std::string noise =
          core::random_bytes(std::min<std::uint64_t>(kNoiseBytes, size - offset));
      GW_CHECK(file->write_at(offset, as_octets(noise)));
    }
    GW_CHECK(file->sync());
  }
  ++outcome_.removed;
  return files_.remove(path);
}

}  // namespace gateway::crypto
