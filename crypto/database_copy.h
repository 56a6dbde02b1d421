// A second file with a database's content under another key, made page by page while the source
// goes on being written through its own connection. Never PRAGMA rekey: it works in place, and can
// answer OK while the old key stays. Not thread-safe; all calls where the source's connection may
// be used.
#pragma once

#include <memory>
#include <string>

#include "core/files.h"
#include "core/result.h"
#include "crypto/secret.h"
#include "crypto/sqlite_connection.h"

struct sqlite3_backup;

namespace gateway::crypto {

class DatabaseCopy {
 public:
  /// Makes the file at `path` (replacing what an earlier attempt left there). `source` outlives the
  /// copy and is the only connection that writes to its database.
  static core::Result<std::unique_ptr<DatabaseCopy>> begin(core::Files& files,
                                                           SqliteConnection& source,
                                                           const std::string& path,
                                                           const Secret& key);
  /// An unfinished copy is abandoned; its file stays.
  ~DatabaseCopy();
  DatabaseCopy(const DatabaseCopy&) = delete;
  DatabaseCopy& operator=(const DatabaseCopy&) = delete;

  /// Copies up to `pages` more. Pages copied before that changed since are copied again by SQLite
  /// itself, up to finish().
  core::Status step(int pages);
  int pages_left() const { return pages_left_; }
  /// Copies what is left and ends the copy; its bytes are on stable storage on return. Nothing is
  /// written to the source meanwhile.
  core::Status finish();

 private:
  DatabaseCopy(core::Files& files, SqliteConnection& source,
               std::unique_ptr<SqliteConnection> target, std::string path);
  core::Status restart();

  core::Files& files_;
  std::unique_ptr<SqliteConnection> target_;
  std::string path_;
  sqlite3_backup* backup_ = nullptr;
  SqliteConnection& source_;
  int pages_left_ = 1;
};

/// Opens the file with the key, has every page's authentication code checked, and reads every table
/// to its end: each must have the rows the source has. Code::corrupt says which page or table.
core::Status prove_copy(core::Files& files, SqliteConnection& source, const std::string& path,
                        const Secret& key);

/// The file of a database nobody has open, and what SQLite puts beside it.
core::Status remove_database_files(core::Files& files, const std::string& path);

}  // namespace gateway::crypto
