// What exists only while the gateway is unlocked, and the door to it. While LOCKED the door answers
// nothing, and adapters say "out of resources"; opening it needs no restart.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "crypto/audit.h"
#include "crypto/audit_checkpoint.h"
#include "crypto/database.h"
#include "crypto/database_check.h"
#include "crypto/keyring.h"
#include "crypto/objects.h"
#include "sync/ingest.h"
#include "sync/intake.h"
#include "sync/sent_form.h"
#include "sync/settling.h"
#include "sync/worklist.h"

namespace gateway::sync {

/// Reads an instance's facts from its data set's bytes; `next` answers the bytes that follow, empty
/// at the end. What stands at the DICOM end registers it.
using ReadFacts = std::function<core::Result<InstanceFacts>(
    const std::string& transfer_syntax_uid,
    const std::function<core::Result<std::span<const std::byte>>()>& next)>;

struct HoldingsOptions {
  std::string state_folder;
  std::string backup_folder;  // a damaged database is restored from here; empty: none
  std::uint64_t reserve_bytes = 0;
  core::Milliseconds study_quiet{5'000};
  IngestOptions ingest;
  WorklistOptions worklist;
  ReadFacts read_facts;       // for rebuilding the index, also after a restore
  WriteAnew write_anew = {};  // for a PACS reached by STOW-RS
};

/// Database, objects and the doors to them, opened in order and closed in reverse. Members are
/// thread-safe as their headers say.
class Holdings {
 public:
  /// Opens the database (migrating it), the objects, and sweeps what a crash left behind; rebuilds
  /// the index first where that was asked for (sync/rebuild.h). Code::not_found when the database
  /// is gone but objects are there: nothing is swept, and nothing taken in beside them. A database
  /// that turns out to be damaged is restored from the backup, or goes aside where the index is to
  /// be rebuilt; Code::corrupt where neither can be.
  static core::Result<std::shared_ptr<Holdings>> open(core::Files& files,
                                                      std::unique_ptr<crypto::Keyring> keyring,
                                                      const core::Clock& clock,
                                                      HoldingsOptions options);

  /// Holdings of records alone, over a database that is open: no keyring, objects, witness or
  /// intake, which must not be asked for.
  static std::shared_ptr<Holdings> of_records(core::Files& files,
                                              std::unique_ptr<crypto::Database> database,
                                              crypto::Audit audit, HoldingsOptions options);

  crypto::Keyring& keyring() { return *keyring_; }
  crypto::Database& database() { return *database_; }
  crypto::ObjectStore& objects() { return *objects_; }
  const crypto::Audit& audit() { return *audit_; }
  /// Null until open() has looked at the one of the last run.
  crypto::AuditWitness* witness() { return witness_.get(); }
  Ingest& ingest() { return *ingest_; }
  Intake& intake() { return *intake_; }
  Settling& settling() { return settling_; }
  const HoldingsOptions& options() const { return options_; }
  /// Code::no_space: the disk is at its reserve, or would be after so many bytes more.
  core::Status has_room(std::uint64_t bytes = 0) const;
  /// crypto::check_database() of this database. Takes its time; any thread.
  core::Result<std::vector<std::string>> check_database(const crypto::CheckPace& pace) const;

 private:
  core::Status open_parts(const core::Clock& clock);
  core::Status set_damaged_aside(const core::Clock& clock, const core::Error& error);
  core::Status begin_witness(core::Files& files, const core::Clock& clock);
  Holdings(core::Files& files, HoldingsOptions options)
      : files_(files), options_(std::move(options)), settling_(options_.study_quiet) {}

  core::Files& files_;
  HoldingsOptions options_;
  Settling settling_;
  std::unique_ptr<crypto::Keyring> keyring_;
  std::unique_ptr<crypto::Audit> audit_;
  std::unique_ptr<crypto::Database> database_;
  std::unique_ptr<crypto::AuditWitness> witness_;
  std::unique_ptr<crypto::ObjectStore> objects_;
  std::unique_ptr<Ingest> ingest_;
  std::unique_ptr<Intake> intake_;
};

/// Thread-safe.
class HoldingsDoor {
 public:
  /// Null while LOCKED. Hold the pointer only for one operation.
  std::shared_ptr<Holdings> get() const {
    const std::lock_guard lock(mutex_);
    return holdings_;
  }
  void open(std::shared_ptr<Holdings> holdings) {
    const std::lock_guard lock(mutex_);
    holdings_ = std::move(holdings);
  }
  void close() { open(nullptr); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Holdings> holdings_;
};

}  // namespace gateway::sync
