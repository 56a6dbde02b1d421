// Puts SQLCipher's database, journals and WAL into a FaultFiles: the same operations counter, the
// same failures, the same power. Shared memory and file locks live in this process and go with it.
//
// It promises SQLite what its own VFS on Linux does: sectors of 4,096 bytes and that a write that
// is cut short leaves its neighbours alone.
#pragma once

#include <memory>

#include "tests/fakes/fault_files.h"

namespace gateway::fakes {

/// From its making to its end `files.database_vfs()` names it. Every connection must be closed
/// before; `files` outlives it. Thread-safe.
class FaultVfs {
 public:
  explicit FaultVfs(FaultFiles& files);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

 private:
  struct Registration;
  FaultFiles& files_;
  std::unique_ptr<Registration> registration_;
};

}  // namespace gateway::fakes
