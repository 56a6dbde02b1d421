// Which files of a folder rest: nobody has them open to write, as far as the kernel told, and they
// have kept size, time and place for a while. Pure: looks and events in, names out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"

namespace gateway::adapters::frame {

struct FileStamp {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // since 1970
  bool operator==(const FileStamp&) const = default;
};

struct RestingFile {
  std::string name;
  FileStamp stamp;
  core::Milliseconds rested{0};
};

class SettlingFiles {
 public:
  explicit SettlingFiles(core::Milliseconds quiet) : quiet_(quiet) {}

  /// Somebody wrote into the file, and may go on.
  void wrote(const std::string& name);
  /// Who wrote has closed it, or moved it here whole.
  void closed(const std::string& name);
  /// Events were lost: only the looks count until the next ones.
  void lost_track();
  /// What is in the folder now; answers what rests, the longest first.
  std::vector<RestingFile> look(const std::map<std::string, FileStamp>& there, core::Monotonic now);

 private:
  struct Seen {
    FileStamp stamp;
    core::Monotonic since{};
    bool is_looked_at = false;
    bool is_open = false;
  };
  const core::Milliseconds quiet_;
  std::map<std::string, Seen> seen_;  // as many as are in the folder, and events of this turn
};

/// A copy under way by its name (".x", "~$x", "x.part"), which its writer changes at the end.
bool is_unfinished_name(const std::string& name);

}  // namespace gateway::adapters::frame
