// A gateway's life at rest, step by step, on real holdings over a disk that can fail; what it was
// promised; and the look at a disk that says whether every promise was kept.
//
// To add a step: write one function in life_steps.cpp, note in the ledger
// what it acknowledged and what it has begun, and name it in whole_life(). The crash matrix and the
// fault tests take it from there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "crypto/root_rotation.h"
#include "sync/holdings.h"
#include "tests/fakes/fault_files.h"
#include "tests/fakes/fault_vfs.h"

namespace gateway::at_rest {

inline constexpr char kState[] = "/state";
inline constexpr char kMedium[] = "/medium";  // where backups go

/// A SOP Instance UID and the bytes received under it.
using Received = std::pair<std::string, std::string>;

/// A resumable upload of one instance.
struct Uploading {
  Received instance;
  std::uint64_t acknowledged = 0;  // bytes
  enum class Stands { open, storing, stored, removing, removed } stands = Stands::open;
};

/// What was answered positively, and what may be there because it had begun.
struct Promises {
  std::set<Received> acknowledged;
  std::set<Received> begun;
  std::set<std::string> delivered;              // SOP Instance UIDs whose delivery was recorded
  std::set<std::string> resources;              // Type/id pulled
  std::map<std::string, std::string> messages;  // accepted: control id and bytes
  std::map<std::string, std::vector<std::int64_t>> edits;  // Type/id: the value of each version
  std::map<std::string, Uploading> uploads;                // by id
  crypto::AuditHead audit;                                 // the newest row known to be committed
  std::set<std::string> leaving;  // SOP Instance UIDs whose eviction has begun
  std::set<std::string> evicted;  // whose eviction was committed
  std::set<std::uint32_t> retired_epochs;
  std::uint32_t root = 1;  // the root key in use, or a later one
  bool backed_up = false;
};

/// Thread-safe: the disk's watcher reads it from whatever thread writes.
class Ledger {
 public:
  Promises now() const;
  template <class Change>
  void note(Change change) {
    const std::lock_guard lock(mutex_);
    change(promises_);
  }

 private:
  mutable std::mutex mutex_;
  Promises promises_;
};

/// One machine: its disk, what runs on it, and what it promised.
class Life {
 public:
  /// A machine that starts with this disk, in memory.
  Life(const fakes::DiskImage& image, Promises promises);
  /// A machine whose disk is a folder of the real file system.
  Life(const std::string& folder, Promises promises);
  ~Life() { close(); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  /// As the daemon opens and stops.
  core::Status open();
  void close();

  core::Files& files() { return files_; }
  /// Where its state is and where its backups go, on files().
  const std::string& state() const { return state_; }
  const std::string& medium() const { return medium_; }
  /// The disk in memory; none is there for a folder of the real file system.
  fakes::FaultFiles& disk() { return disk_->files; }
  Ledger& ledger() { return ledger_; }
  sync::Holdings& held() { return *held_; }
  const std::shared_ptr<sync::Holdings>& holdings() const { return held_; }
  bool is_open() const { return held_ != nullptr; }

  /// An instance arrives whole, from wherever.
  core::Result<sync::StoreOutcome> take_in(const std::string& study, const std::string& sop,
                                           const std::string& bytes);
  /// A modality sends an instance.
  core::Status receive(const std::string& study, const std::string& sop, const std::string& bytes);
  core::Status write(const crypto::Change& change);
  /// Notes the newest audit row as acknowledged.
  core::Status note_audit();

 private:
  /// What the daemon does in the background once it has opened.
  core::Status settle();

  struct MemoryDisk {
    explicit MemoryDisk(const fakes::DiskImage& image) : files(image), vfs(files) {}
    fakes::FaultFiles files;
    fakes::FaultVfs vfs;
  };

  std::unique_ptr<MemoryDisk> disk_;
  core::Files& files_;
  const std::string state_;
  const std::string medium_;
  Ledger ledger_;
  std::shared_ptr<sync::Holdings> held_;
};

struct Step {
  const char* name;
  core::Status (*run)(Life&);
};
/// In order. Each ends with the holdings open, and begins so but for the first.
std::span<const Step> whole_life();
/// Waits until the writer has had nothing to do and has copied its WAL into the database.
core::Status wait_for_idle_checkpoint(Life& life);

/// GATEWAY_EVERY_POINT is set: every crash and failure there can be, not a fixed choice of them.
bool every_point();
/// A state folder with its keyring, nothing received.
fakes::DiskImage new_disk();
core::Result<std::unique_ptr<crypto::Keyring>> open_keyring(core::Files& files,
                                                            const std::string& folder);
crypto::UnderRoot under_root(Life& life);
/// What a modality says of an instance.
sync::InstanceFacts facts_of(const std::string& study, const std::string& sop);

/// Starts a machine with this disk and looks: it opens, every promise is kept to the byte, nothing
/// half-there is visible, no file is left that nobody knows, the audit chain is whole, no patient's
/// byte is readable, and it goes on working. The answer says what is wrong; empty: nothing.
std::string find_fault(const fakes::DiskImage& image, const Promises& promises);
/// The same, and the power goes again at every operation of that start.
std::string find_fault_twice(const fakes::DiskImage& image, const Promises& promises,
                             std::uint64_t& points);

}  // namespace gateway::at_rest
