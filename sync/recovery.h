// Opening the database when it may be damaged: set aside (never deleted), restored from the last
// backup in the site's backup folder, and brought level with the peers again: what its queues still
// hold may have been sent since, so each row is looked up at its peer before it goes out; pull
// cursors stand where they were, and what was pulled after the backup is pulled again.
//
// Order, so that a kill at any step is gone on with: the report with `resync` set, the damaged
// files aside, the restored file, the queues, the report with `resync` cleared. One thread, before
// anybody else uses the holdings.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "crypto/keyring.h"
#include "crypto/objects.h"

namespace gateway::sync {

struct RecoveryInputs {
  core::Files& files;
  const crypto::Keyring& keyring;
  const core::Clock& clock;
  std::string state_folder;
  std::string backup_folder;      // empty: none is configured
  bool is_to_be_rebuilt = false;  // from the objects: a damaged database just goes aside, and a
                                  // restore that cannot be ended is given up
};

/// As crypto::open_database(), but for damage, which is repaired from the backup. Code::corrupt
/// when there is no backup to restore, Code::not_found or Code::io when it cannot be read now; the
/// message says what is left to do.
core::Result<std::unique_ptr<crypto::Database>> open_or_restore_database(
    const RecoveryInputs& inputs, std::span<const crypto::Migration> migrations);

/// The database was restored and not brought level yet: the sweep must not take what it does not
/// know for garbage.
core::Result<bool> is_resync_due(core::Files& files, const std::string& state_folder);
/// Notes in the report how many recorded actions the restored database does not know, by the audit
/// trail's witness where that can be read. Before that is forgotten; again after a kill.
core::Status note_lost_actions(const RecoveryInputs& inputs, crypto::Database& database);
/// Marks the queues, counts what did not come back, writes audit row and report. After the index
/// was rebuilt (sync/rebuild.h), which takes back what came after the backup. Again after a kill.
core::Status resync_restored(const RecoveryInputs& inputs, const crypto::Audit& audit,
                             crypto::Database& database, crypto::ObjectStore& objects);

/// Before the index is made anew from the objects: a database that cannot be used goes aside, for
/// an empty one to take its place.
core::Status set_database_aside(const RecoveryInputs& inputs, const std::string& reason);

/// For whoever finds the open database damaged: the next start treats it as above.
core::Status mark_database_damaged(core::Files& files, const std::string& state_folder,
                                   const std::string& reason);
/// For a database that is not there any more: marks it as above where the backup that would take
/// its place is there and whole.
core::Status give_up_lost_database(const RecoveryInputs& inputs, const std::string& reason);
/// Marks it only where that helps: the backup that would take its place is there and whole, and
/// this database is not itself one that was restored (its backup then has the damage too, and
/// restoring it again would only lose what came since). Else an error that says what to do.
core::Status give_up_database(const RecoveryInputs& inputs, const std::string& reason);

/// Every object that should be on the disk by what the database knows, by id.
core::Status each_object(crypto::Connection& connection,
                         const std::function<core::Status(std::string_view id)>& visit);

}  // namespace gateway::sync
