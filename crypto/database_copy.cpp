#include "crypto/database_copy.h"

#include <sqlcipher/sqlite3.h>

#include <utility>
#include <vector>

#include "core/file_steps.h"
#include "core/files.h"
#include "core/text.h"

namespace gateway::crypto {
namespace {

std::string folder_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

core::Error copy_error(std::string_view doing, const std::string& path, sqlite3* target, int code) {
  const int basic = code & 0xff;
  return {basic == SQLITE_FULL ? core::Code::no_space : core::Code::io,
          core::cat("copy the database to ", path, ": ", doing, ": ", sqlite3_errmsg(target), " (",
                    code, ")")};
}

std::string quoted(std::string_view name) {
  std::string text = "\"";
  for (char letter : name) text += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return text + '"';
}

core::Result<std::vector<std::string>> table_names(Connection& connection) {
  std::vector<std::string> names;
  GW_TRY(Rows rows, connection.query("SELECT name FROM sqlite_schema WHERE type = 'table'"));
  while (true) {
    GW_TRY(const bool row, rows.next());
    if (!row) return names;
    names.emplace_back(rows.text(0));
  }
}

}  // namespace

DatabaseCopy::DatabaseCopy(core::Files& files, SqliteConnection& source,
                           std::unique_ptr<SqliteConnection> target, std::string path)
    : files_(files), target_(std::move(target)), path_(std::move(path)), source_(source) {}

DatabaseCopy::~DatabaseCopy() {
  if (backup_ != nullptr) (void)sqlite3_backup_finish(backup_);  // its error was a step's already
}

core::Result<std::unique_ptr<DatabaseCopy>> DatabaseCopy::begin(core::Files& files,
                                                                SqliteConnection& source,
                                                                const std::string& path,
                                                                const Secret& key) {
  GW_CHECK(remove_database_files(files, path));
  GW_CHECK(files.create(path));
  GW_TRY(auto target, SqliteConnection::open(files, path, key, SqliteConnection::Role::copy));
  std::unique_ptr<DatabaseCopy> copy(new DatabaseCopy(files, source, std::move(target), path));
  GW_CHECK(copy->restart());
  return copy;
}

core::Status DatabaseCopy::restart() {
  if (backup_ != nullptr) (void)sqlite3_backup_finish(std::exchange(backup_, nullptr));
  backup_ = sqlite3_backup_init(target_->handle(), "main", source_.handle(), "main");
  if (backup_ != nullptr) return {};
  return copy_error("begin", path_, target_->handle(), sqlite3_errcode(target_->handle()));
}

core::Status DatabaseCopy::step(int pages) {
  const int code = sqlite3_backup_step(backup_, pages);
  pages_left_ = sqlite3_backup_remaining(backup_);
  // A copy that has reached its end follows the source no more.
  if (code == SQLITE_DONE) return restart();
  if (code == SQLITE_OK || code == SQLITE_BUSY) return {};
  return copy_error("pages", path_, target_->handle(), code);
}

core::Status DatabaseCopy::finish() {
  int code = sqlite3_backup_step(backup_, -1);
  pages_left_ = 0;
  const int ended = sqlite3_backup_finish(std::exchange(backup_, nullptr));
  if (code == SQLITE_DONE) code = ended;
  if (code != SQLITE_OK) return copy_error("end", path_, target_->handle(), code);
  target_.reset();
  GW_TRY(auto file, files_.open_write(path_));
  GW_CHECK(file->sync());
  return files_.sync_folder(folder_of(path_));
}

core::Status prove_copy(core::Files& files, SqliteConnection& source, const std::string& path,
                        const Secret& key) {
  GW_TRY(auto copy, SqliteConnection::open(files, path, key, SqliteConnection::Role::reader));
  GW_TRY(const auto bad_page, copy->text("PRAGMA cipher_integrity_check"));
  if (bad_page) return core::Error(core::Code::corrupt, core::cat(path, ": ", *bad_page));
  GW_TRY(const auto names, table_names(source));
  for (const std::string& name : names) {
    // Without an index: the table's own pages are to be read.
    const std::string count = core::cat("SELECT count(*) FROM ", quoted(name), " NOT INDEXED");
    GW_TRY(const auto expected, source.integer(count));
    GW_TRY(const auto found, copy->integer(count));
    if (expected != found) {
      return core::Error(core::Code::corrupt,
                         core::cat(path, ": table ", name, " has ", found.value_or(-1),
                                   " rows in the copy and ", expected.value_or(-1), " in use"));
    }
  }
  return {};
}

core::Status remove_database_files(core::Files& files, const std::string& path) {
  for (const char* suffix : {"-wal", "-shm", "-journal", ""}) {
    GW_CHECK(core::remove_if_there(files, path + suffix));
  }
  return {};
}

}  // namespace gateway::crypto
