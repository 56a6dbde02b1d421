// What the gateway logged, out of the systemd journal (sd-journal(3)): entries of its unit, of the
// service manager about it, and of a daemon that somebody started by hand into the journal. Reads
// what the caller may read. Blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::cli {

struct JournalEntry {
  core::Wall at;
  std::string level;      // debug, info, warn, error
  std::string component;  // empty: not said by the daemon itself
  std::string message;
  std::string file;  // of the source; empty: unknown
  std::int64_t line = 0;
};

struct JournalQuery {
  std::string component;            // empty: all
  std::optional<core::Wall> since;  // absent: the newest `newest`
  std::uint64_t newest = 200;
  bool follow = false;
  std::string directory;  // of journal files; empty: this machine's
};

/// Calls `each` in order, until it answers false or, without `follow`, the end.
core::Status read_journal(const JournalQuery& query,
                          const std::function<bool(const JournalEntry&)>& each);

}  // namespace gateway::cli
