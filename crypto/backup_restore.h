// From a backup folder back to a state folder. Everything is authenticated on its way: the lists by
// the backup key, database pieces by their names in the sealed manifest, objects by their own tags.
// What the folder lacks is reported, never invented. One thread; nobody else uses the state folder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/backup_format.h"
#include "crypto/keyring.h"

namespace gateway::crypto {

/// `<state>/restored.json`: what was restored and what not, until an operator dismisses it. While
/// `resync` is set the database has not been told yet that rows of its queues may have been sent.
struct RestoreReport {
  std::string what;     // "gateway" or "database"
  std::string from;     // the backup's folder
  std::string created;  // when the backup was taken
  std::string at;       // when it was restored
  std::string reason;   // why; of a database that was set aside
  std::string aside;    // where the damaged database lies
  std::uint64_t objects = 0;
  std::uint64_t unknown_objects = 0;         // on the disk, in no row, and not to be read
  std::vector<std::string> missing_objects;  // in a row, not here; at most 100 named
  std::uint64_t missing_count = 0;
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

/// Opens the keyring found in a folder, with whatever the operator gave.
using KeyringOpener =
    std::function<core::Result<std::unique_ptr<Keyring>>(const std::string& folder)>;

/// The whole gateway onto a bare box. Code::exists when the state folder holds anything but an
/// earlier attempt's remains; keyring.json comes last, then `hand_over`, which may give the files
/// to whom they belong; a kill leaves no gateway but one that can be restored again.
core::Result<RestoreReport> restore_gateway(core::Files& files, const std::string& backup_folder,
                                            const std::string& state_folder,
                                            const KeyringOpener& open_keyring,
                                            const std::string& now,
                                            const std::function<core::Status()>& hand_over);

/// There is a backup of this gateway in the folder, and its manifest opens.
core::Status check_backup(core::Files& files, const std::string& backup_folder,
                          const Keyring& keyring);

/// The database alone, beside a keyring and objects that are as they were: the file goes to
/// `gateway.db`, which must not exist, and its key's generation is noted. Code::refused when the
/// folder holds another gateway's backup.
core::Result<BackupManifest> restore_database(core::Files& files, const std::string& backup_folder,
                                              const std::string& state_folder,
                                              const Keyring& keyring);

}  // namespace gateway::crypto
