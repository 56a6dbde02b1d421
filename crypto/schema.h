// Brings a database's schema up to this build's migrations, or refuses it.
#pragma once

#include <span>

#include "core/result.h"
#include "crypto/database.h"
#include "crypto/sqlite_connection.h"

namespace gateway::crypto {

/// All missing migrations in one transaction, in the order given; within a room they count 1,
/// 2, 3... Code::invalid when the file knows a migration that this build does not (a newer build
/// wrote it), or one of another name.
core::Status migrate(SqliteConnection& connection, std::span<const Migration> migrations);

}  // namespace gateway::crypto
