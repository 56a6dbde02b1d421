// Looks for damage in a database: the structure of every table and index, which reads every page in
// use from the disk, and reading authenticates it. (SQLCipher's own cipher_integrity_check reads
// the same pages but can be neither slowed nor stopped.) On a connection of its own, beside a
// database in use.
//
// Truncate the WAL first (Database::truncate_wal()): what still stands there is read from there. A
// page that is being written at that very moment may look damaged, so a finding counts only when it
// is made twice. The WAL is not reused meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

/// Hears how many bytes were read since its last call, waits as long as it likes, and answers false
/// to have the check stopped.
using CheckPace = std::function<bool(std::uint64_t bytes)>;

/// What is damaged, in SQLite's words (pages and tables, no content); empty: nothing. An error when
/// the check could not be made; Code::cancelled when `pace` stopped it. Any thread; blocks it.
core::Result<std::vector<std::string>> check_database(core::Files& files, const std::string& path,
                                                      const Secret& key, const CheckPace& pace);

}  // namespace gateway::crypto
