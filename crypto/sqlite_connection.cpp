#include "crypto/sqlite_connection.h"

#include <sqlcipher/sqlite3.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {

struct SqliteConnection::Statement {
  SqliteConnection* owner = nullptr;
  sqlite3_stmt* prepared = nullptr;
  std::string sql;
  bool in_use = false;
  bool is_cached = false;  // found again by its text
};

namespace {

constexpr std::size_t kRawKeyText = 3 + 2 * kKeyBytes;  // x'..'

core::Code code_of(int result, int os_error) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return core::Code::no_space;
    case SQLITE_NOTADB:
      return core::Code::locked;
    case SQLITE_CORRUPT:
      return core::Code::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return core::Code::busy;
    case SQLITE_INTERRUPT:
      return core::Code::cancelled;
    case SQLITE_IOERR:
      return os_error == ENOSPC || os_error == EDQUOT ? core::Code::no_space : core::Code::io;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return core::Code::io;
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
      return core::Code::invalid;
    case SQLITE_CONSTRAINT:
      switch (result) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
          return core::Code::exists;
        default:
          return core::Code::invalid;
      }
    default:
      return core::Code::internal;
  }
}

int remember_wal_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<std::uint64_t*>(pages) = static_cast<std::uint64_t>(count);
  return SQLITE_OK;
}

/// SQLCipher takes a key as it is only in the form x'<64 hex digits>'; every other form silently
/// becomes a passphrase.
Secret raw_key_text(const Secret& key) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Secret text(kRawKeyText);
  auto out = text.bytes();
  std::size_t at = 0;
  out[at++] = std::byte{'x'};
  out[at++] = std::byte{'\''};
  for (std::byte octet : key.bytes()) {
    out[at++] = static_cast<std::byte>(kDigits[std::to_integer<unsigned>(octet) >> 4]);
    out[at++] = static_cast<std::byte>(kDigits[std::to_integer<unsigned>(octet) & 15]);
  }
  out[at++] = std::byte{'\''};
  assert(at == kRawKeyText);
  return text;
}

constexpr std::string_view kSettings =
    // The layout is SQLCipher 4's, whatever a later library takes for its default.
    "PRAGMA cipher_compatibility = 4;"
    // Processors compute SHA-256 in hardware, SHA-512 not: 9 of 12 microseconds a page.
    "PRAGMA cipher_hmac_algorithm = HMAC_SHA256;"
    // Wiping and locking every page in memory made commits four times slower; the service is kept
    // from swap and core dumps instead.
    "PRAGMA cipher_memory_security = OFF;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA foreign_keys = ON;";
constexpr std::string_view kWriterSettings =
    // auto_vacuum counts only while the file has no table, and journal_mode already writes page 1.
    "PRAGMA auto_vacuum = INCREMENTAL;"
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = 33554432;"
    "PRAGMA cache_size = -8192;";
constexpr std::size_t kSaltBytes = 16;
constexpr std::string_view kReaderSettings =
    "PRAGMA cache_size = -2048;"
    "PRAGMA query_only = ON;";
constexpr std::string_view kCopySettings =
    "PRAGMA auto_vacuum = INCREMENTAL;"
    "PRAGMA journal_mode = OFF;"
    "PRAGMA synchronous = OFF;"
    "PRAGMA cache_size = -8192;";

}  // namespace

SqliteConnection::SqliteConnection(sqlite3* handle) : handle_(handle) {
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, kReaderWaitMs);
}

SqliteConnection::~SqliteConnection() {
  for (Statement& statement : statements_) sqlite3_finalize(statement.prepared);
  if (sqlite3_close(handle_) != SQLITE_OK) {
    core::log_error("crypto", "a database connection was closed while one of its rows was in use");
  }
}

core::Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(core::Files& files,
                                                                       const std::string& path,
                                                                       const Secret& key,
                                                                       Role role) {
  // SQLite's own count of its memory takes a process-wide lock at every allocation.
  [[maybe_unused]] static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  std::unique_ptr<SqliteConnection> connection;
  auto ready = begin(files, path, key, role, connection);
  if (!ready.ok() && ready.error().code() == core::Code::locked) {
    // SQLCipher takes a first page that it could not read for one under another key.
    std::array<std::byte, kSaltBytes> salt{};
    GW_CHECK(connection->read_file(0, salt));
    ready = begin(files, path, key, role, connection);
  }
  if (!ready.ok() && ready.error().code() == core::Code::locked) {
    return core::Error(core::Code::locked,
                       core::cat("the key does not open ", path,
                                 ", or its first page is damaged; unlock with the keyring this "
                                 "database was made with, or restore a backup"));
  }
  if (!ready.ok()) return std::move(ready).error().with_context(path);
  return connection;
}

core::Status SqliteConnection::begin(core::Files& files, const std::string& path, const Secret& key,
                                     Role role, std::unique_ptr<SqliteConnection>& connection) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  const int opened = sqlite3_open_v2(path.c_str(), &handle, flags, files.database_vfs());
  if (handle == nullptr) return core::Error(core::Code::internal, "out of memory");
  connection.reset(new SqliteConnection(handle));
  if (opened != SQLITE_OK) return connection->error("open", opened);
  GW_CHECK(connection->set_key(key));
  return connection->set_up(role);
}

core::Status SqliteConnection::set_key(const Secret& key) {
  if (key.size() != kKeyBytes) {
    return core::Error(core::Code::internal, "a database key must have 32 bytes");
  }
  // SQLCipher would report failing pages on standard error by itself; our errors say it.
  GW_CHECK(run_script("PRAGMA cipher_log_level = NONE;"));
  const Secret text = raw_key_text(key);
  const int keyed = sqlite3_key(handle_, text.bytes().data(), static_cast<int>(text.size()));
  if (keyed != SQLITE_OK) return error("set the key", keyed);
  return {};
}

core::Status SqliteConnection::set_up(Role role) {
  GW_CHECK(run_script(kSettings));
  GW_CHECK(run_script("SELECT count(*) FROM sqlite_schema;"));
  if (role == Role::reader) return run_script(kReaderSettings);
  if (role == Role::copy) return run_script(kCopySettings);
  GW_CHECK(run_script(kWriterSettings));
  sqlite3_wal_hook(handle_, remember_wal_pages, &wal_pages_);
  GW_TRY(auto mode, text("PRAGMA journal_mode"));
  if (mode != "wal") {
    return core::Error(core::Code::io,
                       "the file system does not carry SQLite's WAL; use a local disk");
  }
  return {};
}

core::Error SqliteConnection::error(std::string_view doing, int code) const {
  return {code_of(code, sqlite3_system_errno(handle_)),
          core::cat("database: ", doing, ": ", sqlite3_errmsg(handle_), " (", code, ")")};
}

std::int64_t SqliteConnection::changes() const { return sqlite3_changes64(handle_); }
std::int64_t SqliteConnection::last_row() const { return sqlite3_last_insert_rowid(handle_); }
bool SqliteConnection::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

core::Status SqliteConnection::run_script(std::string_view sql) {
  const char* at = sql.data();
  const char* end = sql.data() + sql.size();
  while (at < end) {
    sqlite3_stmt* prepared = nullptr;
    int code = sqlite3_prepare_v2(handle_, at, static_cast<int>(end - at), &prepared, &at);
    if (code == SQLITE_OK && prepared == nullptr) continue;  // a comment or white space
    while (code == SQLITE_OK || code == SQLITE_ROW) code = sqlite3_step(prepared);
    sqlite3_finalize(prepared);
    if (code != SQLITE_DONE) return error("script", code);
  }
  return {};
}

void SqliteConnection::roll_back() {
  if (!in_transaction()) return;
  if (auto undone = run_script("ROLLBACK"); !undone.ok()) {
    core::log_error("crypto", undone.error().message());
  }
}

core::Result<bool> SqliteConnection::checkpoint(Checkpoint kind, int wait_ms) {
  const int mode = kind == Checkpoint::passive   ? SQLITE_CHECKPOINT_PASSIVE
                   : kind == Checkpoint::restart ? SQLITE_CHECKPOINT_RESTART
                                                 : SQLITE_CHECKPOINT_TRUNCATE;
  int in_wal = 0;
  int copied = 0;
  sqlite3_busy_timeout(handle_, wait_ms);
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, mode, &in_wal, &copied);
  sqlite3_busy_timeout(handle_, kReaderWaitMs);
  if (code == SQLITE_BUSY) return false;
  if (code != SQLITE_OK) return error("checkpoint", code);
  if (in_wal != copied) return false;
  wal_pages_ = 0;
  return true;
}

core::Result<std::uint64_t> SqliteConnection::file_size() {
  sqlite3_file* file = nullptr;
  int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  sqlite3_int64 size = 0;
  if (code == SQLITE_OK) code = file->pMethods->xFileSize(file, &size);
  if (code != SQLITE_OK) return error("size of the file", code);
  return static_cast<std::uint64_t>(size);
}

core::Result<std::size_t> SqliteConnection::read_file(std::uint64_t offset,
                                                      std::span<std::byte> bytes) {
  GW_TRY(const std::uint64_t size, file_size());
  if (offset >= size) return std::size_t{0};
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), size - offset));
  sqlite3_file* file = nullptr;
  int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code == SQLITE_OK) {
    code = file->pMethods->xRead(file, bytes.data(), static_cast<int>(count),
                                 static_cast<sqlite3_int64>(offset));
  }
  if (code != SQLITE_OK) return error("read the file", code);
  return count;
}

void SqliteConnection::forget_oldest() {
  for (auto oldest = statements_.end(); oldest != statements_.begin();) {
    --oldest;
    if (oldest->in_use) continue;
    sqlite3_finalize(oldest->prepared);
    by_text_.erase(oldest->sql);
    statements_.erase(oldest);
    return;
  }
}

core::Result<SqliteConnection::Statement*> SqliteConnection::take_statement(std::string_view sql) {
  auto known = by_text_.find(sql);
  if (known != by_text_.end() && !known->second->in_use) {
    statements_.splice(statements_.begin(), statements_, known->second);
    known->second->in_use = true;
    return &*known->second;
  }
  if (statements_.size() >= kStatementsMax) forget_oldest();
  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, &rest);
  if (code != SQLITE_OK) return error("prepare", code);
  if (prepared == nullptr || !core::trim({rest, sql.data() + sql.size()}).empty()) {
    sqlite3_finalize(prepared);
    return core::Error(core::Code::internal, "database: exactly one statement is run at a time");
  }
  statements_.push_front({this, prepared, std::string(sql), true, false});
  // The same text may already be running further up the stack: the second one is not found again
  // and ends with its rows.
  Statement& made = statements_.front();
  made.is_cached = by_text_.try_emplace(made.sql, statements_.begin()).second;
  return &made;
}

void SqliteConnection::give_back(Statement* statement) {
  // The step's own error was answered when it happened; reset repeats it.
  (void)sqlite3_reset(statement->prepared);
  sqlite3_clear_bindings(statement->prepared);
  statement->in_use = false;
  if (statement->is_cached) return;
  sqlite3_finalize(statement->prepared);
  statements_.remove_if([&](const Statement& other) { return &other == statement; });
}

core::Status SqliteConnection::bind(Statement& statement, std::span<const Bind> binds, bool copy) {
  if (static_cast<std::size_t>(sqlite3_bind_parameter_count(statement.prepared)) != binds.size()) {
    return core::Error(core::Code::internal,
                       core::cat("database: the statement takes ",
                                 sqlite3_bind_parameter_count(statement.prepared),
                                 " parameters and was given ", binds.size()));
  }
  const auto lifetime = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const Bind& value = binds[i];
    const int column = static_cast<int>(i) + 1;
    // An empty view may point nowhere, and a null pointer would bind NULL.
    const char* data = value.bytes.data() == nullptr ? "" : value.bytes.data();
    int code = SQLITE_OK;
    switch (value.kind) {
      case Bind::Kind::null:
        code = sqlite3_bind_null(statement.prepared, column);
        break;
      case Bind::Kind::integer:
        code = sqlite3_bind_int64(statement.prepared, column, value.number);
        break;
      case Bind::Kind::text:
        code = sqlite3_bind_text64(statement.prepared, column, data, value.bytes.size(), lifetime,
                                   SQLITE_UTF8);
        break;
      case Bind::Kind::blob:
        code = sqlite3_bind_blob64(statement.prepared, column, data, value.bytes.size(), lifetime);
        break;
    }
    if (code != SQLITE_OK) return error("bind", code);
  }
  return {};
}

core::Status SqliteConnection::run_bound(std::string_view sql, std::span<const Bind> binds) {
  GW_TRY(Statement * statement, take_statement(sql));
  core::Status status = bind(*statement, binds, false);
  if (status.ok()) {
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) code = sqlite3_step(statement->prepared);
    if (code != SQLITE_DONE) status = error("run", code);
  }
  give_back(statement);
  return status;
}

core::Result<Rows> SqliteConnection::query_bound(std::string_view sql,
                                                 std::span<const Bind> binds) {
  GW_TRY(Statement * statement, take_statement(sql));
  // From here the rows give it back, on an error too.
  Rows rows = make_rows(statement);
  GW_CHECK(bind(*statement, binds, true));
  return rows;
}

Rows::Rows(Rows&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

Rows::~Rows() {
  if (statement_ == nullptr) return;
  auto* statement = static_cast<SqliteConnection::Statement*>(statement_);
  statement->owner->give_back(statement);
}

core::Result<bool> Rows::next() {
  auto* statement = static_cast<SqliteConnection::Statement*>(statement_);
  const int code = sqlite3_step(statement->prepared);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return statement->owner->error("query", code);
}

std::int64_t Rows::integer(int column) const {
  return sqlite3_column_int64(static_cast<SqliteConnection::Statement*>(statement_)->prepared,
                              column);
}

std::string_view Rows::text(int column) const {
  auto* prepared = static_cast<SqliteConnection::Statement*>(statement_)->prepared;
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(prepared, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(prepared, column))};
}

std::span<const std::byte> Rows::blob(int column) const {
  auto* prepared = static_cast<SqliteConnection::Statement*>(statement_)->prepared;
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(prepared, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(prepared, column))};
}

bool Rows::is_null(int column) const {
  auto* prepared = static_cast<SqliteConnection::Statement*>(statement_)->prepared;
  return sqlite3_column_type(prepared, column) == SQLITE_NULL;
}

}  // namespace gateway::crypto
