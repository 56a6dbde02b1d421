// What a backup folder says about its own files: SHA256SUMS of each run, `DAMAGED`, which
// `backup --verify` leaves for the next run, and `CHECKED`, how far runs have read again what was
// there. docs/formats.md. Nothing here needs a key.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"

namespace gateway::crypto {

using BackupDigests =
    std::map<std::string, std::string>;  // path below the folder -> SHA-256 as hex

/// A name that goes nowhere but below its folder.
bool is_plain_name(std::string_view name);
bool is_hex_digest(std::string_view text);

/// Code::corrupt when it is damaged or cut: its last line is the digest of the lines before.
core::Result<BackupDigests> read_backup_sums(core::Files& files, const std::string& folder,
                                             const std::string& run);
core::Status write_backup_sums(core::Files& files, const std::string& folder,
                               const std::string& run, const BackupDigests& digests);
core::Result<std::string> digest_of_file(core::Files& files, const std::string& path);

/// Paths that were found missing or changed. None when nothing is noted.
core::Result<std::set<std::string>> noted_damage(core::Files& files, const std::string& folder);
/// Durable on return; none removes the note.
core::Status note_damage(core::Files& files, const std::string& folder,
                         const std::set<std::string>& paths);

/// Reads a thirtieth of the files of `known` again, behind those the run before read, and answers
/// which are missing or changed. `last` becomes the one to go on after.
core::Result<std::set<std::string>> check_share(core::Files& files, const std::string& folder,
                                                const BackupDigests& known, std::string& last);
/// Empty when nothing was checked yet.
core::Result<std::string> last_checked(core::Files& files, const std::string& folder);
core::Status note_checked(core::Files& files, const std::string& folder, const std::string& last);

}  // namespace gateway::crypto
