// What a restore brought back and what not, for people, until somebody has dealt with it. One
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"

namespace gateway::crypto {

/// `<state>/restored.json`: what was restored and what not, until an operator dismisses it. While
/// `resync` is set the database has not been told yet that rows of its queues may have been sent.
struct RestoreReport {
  std::string what;           // "gateway" or "database"
  std::string from;           // the backup's folder
  std::string created;        // when the backup was taken
  std::string at;             // when it was restored
  std::string reason;         // why; of a database that was set aside
  std::string aside;          // where the damaged database lies
  std::string database_lost;  // why the backup's database did not come back; empty: it did
  std::uint64_t objects = 0;
  std::uint64_t unknown_objects = 0;         // on the disk, in no row, and not to be read
  std::vector<std::string> missing_objects;  // in a row, not here; at most 100 named
  std::uint64_t missing_count = 0;
  std::uint64_t lost_actions = 0;  // rows of the audit trail that were there, at least; of a
                                   // database that was set aside
  std::string lost_until;          // when the newest of them was seen
  bool resync = true;
};
core::Result<bool> has_restore_report(core::Files& files, const std::string& state_folder);
core::Result<RestoreReport> read_restore_report(core::Files& files,
                                                const std::string& state_folder);
core::Status write_restore_report(core::Files& files, const std::string& state_folder,
                                  const RestoreReport& report);
core::Status dismiss_restore_report(core::Files& files, const std::string& state_folder);
/// One sentence for status, health and the log.
std::string describe(const RestoreReport& report);

}  // namespace gateway::crypto
