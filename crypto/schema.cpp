#include "crypto/schema.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/text.h"

namespace gateway::crypto {
namespace {

using Applied = std::map<std::pair<std::string, std::int64_t>, std::string, std::less<>>;

constexpr std::string_view kMakeTable =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " room TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (room, number)) STRICT, WITHOUT ROWID;";

core::Status check_numbering(std::span<const Migration> migrations) {
  std::map<std::string_view, int> last;
  for (const Migration& migration : migrations) {
    if (migration.number != ++last[migration.room]) {
      return core::Error(core::Code::internal,
                         core::cat("the migrations of ", migration.room,
                                   " are not numbered 1, 2, 3...: ", migration.number));
    }
  }
  return {};
}

core::Result<Applied> read_applied(Connection& connection) {
  Applied applied;
  GW_TRY(Rows rows, connection.query("SELECT room, number, name FROM schema_migration"));
  while (true) {
    GW_TRY(bool row, rows.next());
    if (!row) return applied;
    applied.emplace(std::pair(std::string(rows.text(0)), rows.integer(1)), rows.text(2));
  }
}

core::Status apply(SqliteConnection& connection, const Migration& migration) {
  auto ran = connection.run_script(migration.sql);
  if (!ran.ok()) {
    return std::move(ran).with_context(
        core::cat("migration ", migration.room, "/", migration.number, " ", migration.name));
  }
  return connection.run("INSERT INTO schema_migration (room, number, name) VALUES (?, ?, ?)",
                        migration.room, migration.number, migration.name);
}

core::Status apply_missing(SqliteConnection& connection, std::span<const Migration> migrations) {
  GW_CHECK(connection.run_script(kMakeTable));
  GW_TRY(Applied applied, read_applied(connection));
  for (const Migration& migration : migrations) {
    auto known =
        applied.find(std::pair(std::string(migration.room), std::int64_t{migration.number}));
    if (known == applied.end()) {
      GW_CHECK(apply(connection, migration));
    } else if (known->second != migration.name) {
      return core::Error(
          core::Code::invalid,
          core::cat("the database's migration ", migration.room, "/", migration.number,
                    " is named '", known->second, "', this build's '", migration.name,
                    "'; it was written by another line of clinic-gateway"));
    } else {
      applied.erase(known);
    }
  }
  if (applied.empty()) return {};
  const auto& [room, number] = applied.begin()->first;
  return core::Error(core::Code::invalid,
                     core::cat("the database was written by a newer clinic-gateway (migration ",
                               room, "/", number, "); install that version or restore a backup"));
}

core::Status check_references(Connection& connection) {
  GW_TRY(auto broken, connection.text("PRAGMA foreign_key_check"));
  if (!broken) return {};
  return core::Error(core::Code::corrupt,
                     core::cat("the migrations would leave dangling references in ", *broken));
}

core::Status migrate_in_transaction(SqliteConnection& connection,
                                    std::span<const Migration> migrations) {
  GW_CHECK(connection.run_script("BEGIN IMMEDIATE"));
  GW_TRY(auto before, connection.integer("SELECT total_changes()"));
  GW_CHECK(apply_missing(connection, migrations));
  GW_TRY(auto after, connection.integer("SELECT total_changes()"));
  // The check reads every row of every referring table: only when something moved.
  if (before != after) GW_CHECK(check_references(connection));
  return connection.run_script("COMMIT");
}

}  // namespace

core::Status migrate(SqliteConnection& connection, std::span<const Migration> migrations) {
  GW_CHECK(check_numbering(migrations));
  // A table is changed by building it anew, which foreign keys would forbid half-way.
  GW_CHECK(connection.run_script("PRAGMA foreign_keys = OFF"));
  auto migrated = migrate_in_transaction(connection, migrations);
  connection.roll_back();
  GW_CHECK(connection.run_script("PRAGMA foreign_keys = ON"));
  return migrated;
}

}  // namespace gateway::crypto
