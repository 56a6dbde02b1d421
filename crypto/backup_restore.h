// From a backup folder back to a state folder. Everything is authenticated on its way: the lists by
// the backup key, database pieces by their names in the sealed manifest, objects by their own tags.
// What the folder lacks is reported, never invented. One thread; nobody else uses the state folder.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/files.h"
#include "core/result.h"
#include "crypto/backup_format.h"
#include "crypto/keyring.h"
#include "crypto/restore_report.h"

namespace gateway::crypto {

/// Opens the keyring found in a folder, with whatever the operator gave.
using KeyringOpener =
    std::function<core::Result<std::unique_ptr<Keyring>>(const std::string& folder)>;

/// What the caller does on the way.
struct RestoreSteps {
  /// The backup's database is not to be had: durably has the next start index the objects anew.
  std::function<core::Status()> rebuild_index;
  /// All is there: gives the files to whom they belong.
  std::function<core::Status()> hand_over;
};

/// The whole gateway onto a bare box. Code::exists when the state folder holds anything but an
/// earlier attempt's remains. What is damaged in the backup, database, lists of headers or objects,
/// is reported and the rest brought back, unless that is nothing. keyring.json comes last; a kill
/// leaves no gateway but one that can be restored again.
core::Result<RestoreReport> restore_gateway(core::Files& files, const std::string& backup_folder,
                                            const std::string& state_folder,
                                            const KeyringOpener& open_keyring,
                                            const std::string& now, const RestoreSteps& steps);

/// One was stopped before all was there: what the folder holds is no gateway, and only restoring
/// again makes it one.
core::Result<bool> is_restore_cut_off(core::Files& files, const std::string& state_folder);
/// From now on the folder holds a gateway that no restore may replace. Also for one that was
/// stopped at its very end, once it has opened.
core::Status end_restore(core::Files& files, const std::string& state_folder);

/// There is a backup of this gateway in the folder, and its database is whole: reads all of that.
core::Status check_backup(core::Files& files, const std::string& backup_folder,
                          const Keyring& keyring);

/// The database alone, beside a keyring and objects that are as they were: the file goes to
/// `gateway.db`, which must not exist, and its key's generation is noted. Code::refused when the
/// folder holds another gateway's backup.
core::Result<BackupManifest> restore_database(core::Files& files, const std::string& backup_folder,
                                              const std::string& state_folder,
                                              const Keyring& keyring);

}  // namespace gateway::crypto
