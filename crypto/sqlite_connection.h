// One SQLCipher connection as the gateway sets it up, with its cache of prepared statements. For
// one thread at a time; the database hands it from the thread that made it to the one that uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/files.h"
#include "core/result.h"
#include "crypto/database.h"
#include "crypto/secret.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gateway::crypto {

class SqliteConnection final : public Connection {
 public:
  enum class Role {
    writer,
    reader,
    copy,  // fills a new file that nobody relies on before it is synced as a whole
  };

  /// Opens or makes the file. Code::locked when the key does not fit, or page 1 is damaged:
  /// SQLCipher cannot tell these apart. `files` is the disk the path is on.
  static core::Result<std::unique_ptr<SqliteConnection>> open(core::Files& files,
                                                              const std::string& path,
                                                              const Secret& key, Role role);
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  std::int64_t changes() const override;
  std::int64_t last_row() const override;

  /// Runs any number of statements (migrations, pragmas), uncached.
  core::Status run_script(std::string_view sql);
  /// False when SQLite has ended the transaction by itself, as it does on a full disk.
  bool in_transaction() const;
  /// Ends whatever transaction is open. Never fails from the caller's view: a transaction that
  /// cannot be undone in the file was never committed there.
  void roll_back();

  /// Frames in the WAL after the last commit.
  std::uint64_t wal_pages() const { return wal_pages_; }
  enum class Checkpoint { passive, restart, truncate };
  /// Reads the main file as it lies on the disk, sealed pages and all, without opening it a second
  /// time (whose close would end SQLite's locks). Fewer bytes only at its end.
  core::Result<std::size_t> read_file(std::uint64_t offset, std::span<std::byte> bytes);
  core::Result<std::uint64_t> file_size();
  /// For what only SQLite's own interface can do. Borrowed.
  sqlite3* handle() const { return handle_; }
  static constexpr int kReaderWaitMs = 5'000;
  /// Copies committed pages into the main file; kinds other than passive wait `wait_ms` for
  /// readers. True when nothing is left to copy.
  core::Result<bool> checkpoint(Checkpoint kind, int wait_ms = kReaderWaitMs);

 protected:
  core::Status run_bound(std::string_view sql, std::span<const Bind> binds) override;
  core::Result<Rows> query_bound(std::string_view sql, std::span<const Bind> binds) override;

 private:
  friend class gateway::crypto::Rows;
  struct Statement;
  using Statements = std::list<Statement>;  // most recently used first

  explicit SqliteConnection(sqlite3* handle);
  /// One attempt; `connection` is there afterwards where SQLite gave a handle.
  static core::Status begin(core::Files& files, const std::string& path, const Secret& key,
                            Role role, std::unique_ptr<SqliteConnection>& connection);
  core::Status set_key(const Secret& key);
  core::Status set_up(Role role);
  core::Result<Statement*> take_statement(std::string_view sql);
  void give_back(Statement* statement);
  core::Status bind(Statement& statement, std::span<const Bind> binds, bool copy);
  void forget_oldest();
  core::Error error(std::string_view doing, int code) const;

  static constexpr std::size_t kStatementsMax = 256;

  sqlite3* handle_;
  Statements statements_;
  std::unordered_map<std::string_view, Statements::iterator>
      by_text_;  // keys live in the statements
  std::uint64_t wal_pages_ = 0;
};

}  // namespace gateway::crypto
