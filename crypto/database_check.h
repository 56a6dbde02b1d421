// Looks for damage in a database: every page's authentication in the main file, then the structure
// of every table (which reads every row). On a connection of its own, beside a database in use.
//
// Only the main file's pages are authenticated: truncate the WAL first (Database::truncate_wal()).
// A page that is being written at that very moment may look damaged, so a finding counts only when
// it is made twice. Time: about that of reading the file once; the WAL is not reused meanwhile.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

/// What is damaged, in SQLite's words (pages and tables, no content); empty: nothing. An error when
/// the check could not be made.
core::Result<std::vector<std::string>> check_database(core::Files& files, const std::string& path,
                                                      const Secret& key);

}  // namespace gateway::crypto
