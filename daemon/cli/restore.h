// clinic-gateway restore: writes a backup into the state folder of a bare box, without the daemon.
#pragma once

#include <string>

#include "core/json.h"
#include "core/result.h"
#include "crypto/keyring.h"

namespace gateway::cli {

/// The state folder the configuration names.
core::Result<std::string> configured_state_folder(const std::string& config_file);

/// Code::not_found when there is no backup in the folder: before anybody is asked for a code.
core::Status find_backup(const std::string& backup_folder);
/// `opener`: an escrow key, or as a passphrase whatever was typed, a recovery code too.
/// As root the files become the state folder's owner's, also those of an attempt that failed.
/// {"created","database_lost","objects","missing","missing_objects":[...]}
core::Result<core::Json> restore(const std::string& backup_folder, const std::string& state_folder,
                                 const crypto::SlotOpener& opener);
std::string format_restored(const core::Json& report);

}  // namespace gateway::cli
