// The database: SQLCipher 4 (raw key, WAL, synchronous=FULL, temp_store=MEMORY,
// auto_vacuum=INCREMENTAL), one writer thread that commits whatever has queued up as one group, and
// a small pool of readers.
//
// A change is a function run on the writer thread inside a savepoint of the group's transaction,
// alone in a transaction of its own: if it fails, only it is undone. write() returns once the
// COMMIT is on stable storage: that moment is what "durable before acknowledged" rests on.
//
// Errors of statements: Code::exists for a repeated key, Code::invalid for another broken
// constraint, Code::no_space for a full disk, Code::corrupt for damaged pages. Constraints are
// checked at once: a deferred one would fail the whole group.
//
// Threads: write(), write_async() and read() from any thread but the writer's own (a change must
// not call write() again, nor a body of read() read() again). Changes and bodies do not throw, end
// no transaction and keep no Rows. Statements and connections never leave the function they were
// handed to.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

/// One parameter of a statement. Texts and blobs are borrowed for the call.
struct Bind {
  enum class Kind { null, integer, text, blob } kind = Kind::null;
  std::int64_t number = 0;
  std::string_view bytes;

  Bind(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <class Int>
  requires std::is_integral_v<Int> Bind(Int value)
      : kind(Kind::integer),
        number(static_cast<std::int64_t>(value)) {}  // NOLINT(google-explicit-constructor)
  Bind(std::string_view text)
      : kind(Kind::text), bytes(text) {}  // NOLINT(google-explicit-constructor)
  Bind(const std::string& text)
      : kind(Kind::text), bytes(text) {}                     // NOLINT(google-explicit-constructor)
  Bind(const char* text) : kind(Kind::text), bytes(text) {}  // NOLINT(google-explicit-constructor)
  Bind(std::span<const std::byte> blob)                      // NOLINT(google-explicit-constructor)
      : kind(Kind::blob), bytes(reinterpret_cast<const char*>(blob.data()), blob.size()) {}
};

/// Rows of a running statement: while (true) { GW_TRY(bool row, rows.next()); if (!row) break; ...
/// } Columns count from 0; texts stay valid until the next next(). Moves only. Gives the statement
/// back to the cache when destroyed.
class Rows {
 public:
  ~Rows();
  Rows(Rows&&) noexcept;
  Rows& operator=(Rows&&) = delete;
  core::Result<bool> next();
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;
  std::span<const std::byte> blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Connection;
  explicit Rows(void* statement) : statement_(statement) {}
  void* statement_;
};

class Connection {
 public:
  virtual ~Connection() = default;
  /// Runs a statement that answers no rows. `sql` must be one statement; it is prepared once and
  /// cached by its text.
  template <class... Args>
  core::Status run(std::string_view sql, const Args&... args) {
    std::array<Bind, sizeof...(Args)> binds{Bind(args)...};
    return run_bound(sql, binds);
  }
  template <class... Args>
  core::Result<Rows> query(std::string_view sql, const Args&... args) {
    std::array<Bind, sizeof...(Args)> binds{Bind(args)...};
    return query_bound(sql, binds);
  }
  /// The same for a statement whose parameters are known at run time only: one Bind for each.
  core::Result<Rows> query_list(std::string_view sql, std::span<const Bind> binds) {
    return query_bound(sql, binds);
  }
  /// The first row's first column, or nothing.
  template <class... Args>
  core::Result<std::optional<std::int64_t>> integer(std::string_view sql, const Args&... args) {
    GW_TRY(Rows rows, query(sql, args...));
    GW_TRY(bool row, rows.next());
    if (!row || rows.is_null(0)) return std::optional<std::int64_t>();
    return std::optional<std::int64_t>(rows.integer(0));
  }
  template <class... Args>
  core::Result<std::optional<std::string>> text(std::string_view sql, const Args&... args) {
    GW_TRY(Rows rows, query(sql, args...));
    GW_TRY(bool row, rows.next());
    if (!row || rows.is_null(0)) return std::optional<std::string>();
    return std::optional<std::string>(std::string(rows.text(0)));
  }
  /// Rows changed by the last run(), and the row id of the last insert.
  virtual std::int64_t changes() const = 0;
  virtual std::int64_t last_row() const = 0;

 protected:
  virtual core::Status run_bound(std::string_view sql, std::span<const Bind> binds) = 0;
  virtual core::Result<Rows> query_bound(std::string_view sql, std::span<const Bind> binds) = 0;
  static Rows make_rows(void* statement) { return Rows(statement); }
};

/// A numbered step of one room's schema, in the order they run. `sql` may hold several statements.
/// Never edited once released.
struct Migration {
  std::string_view room;
  int number = 0;
  std::string_view name;
  std::string_view sql;
};

/// Beside the database's file: what a rotation of its key has not finished. Worth nothing after a
/// start.
inline constexpr char kRotatingSuffix[] = ".rotating";

using Change = std::function<core::Status(Connection&)>;
using Committed = std::function<void(core::Status)>;

class Database {
 public:
  /// Opens or makes the file at `path` with the 32-byte key, brings the schema up to `migrations`
  /// in one transaction (rooms left to right as given) and starts the writer. Code::locked when the
  /// key does not fit; Code::invalid when the file's schema is newer than ours
  /// ("... was written by a newer clinic-gateway; install that version or restore a backup").
  /// `files` is the disk the path is on.
  static core::Result<std::unique_ptr<Database>> open(const std::string& path, const Secret& key,
                                                      std::span<const Migration> migrations,
                                                      core::Files& files = core::system_files());
  /// Commits what is queued, then closes with a truncating checkpoint.
  virtual ~Database() = default;

  /// Blocks until committed or undone. Waits while the queue (1,024 changes) is full.
  virtual core::Status write(Change change) = 0;
  /// Commits `change` by itself on this thread if nobody is writing; else answers nothing and has
  /// done nothing. Spares a lone writer two changes of thread; many at once are better served by
  /// write(), which groups them.
  virtual std::optional<core::Status> write_if_idle(const Change& change) = 0;
  /// Never blocks: `committed` runs on the writer thread after the group's commit, or at once with
  /// Code::busy when the queue is full.
  virtual void write_async(Change change, Committed committed) = 0;
  /// Runs `body` with a reader connection (a consistent snapshot for its duration); waits for a
  /// free one.
  virtual core::Status read(const std::function<core::Status(Connection&)>& body) = 0;

  template <class T>
  core::Result<T> read_value(const std::function<core::Result<T>(Connection&)>& body) {
    std::optional<T> value;
    GW_CHECK(read([&](Connection& connection) -> core::Status {
      GW_TRY(value, body(connection));
      return {};
    }));
    return std::move(*value);
  }
  /// Changes and readings that ended with Code::corrupt since it was opened: a page is damaged
  /// perhaps, which check_database() tells.
  virtual std::uint64_t damage_suspected() const = 0;
  /// Counts of groups and changes committed, for the watchdog and health.
  virtual std::uint64_t groups_committed() const = 0;
  /// Pages (4,096 bytes each) the WAL held after the last commit. A long reading keeps it from
  /// being reused.
  virtual std::uint64_t wal_pages() const = 0;

  /// What the caller keeps durably of which key opens the file.
  struct KeySwap {
    std::function<core::Status()> announce;  // before the file is replaced: it may be either key
    std::function<core::Status()> confirm;   // after: it is the new one
  };
  /// Puts the whole content under another key while changes keep coming: copied beside
  /// (`.rotating`) in slices between commits; for the last slice, the proof (every page's code,
  /// every table's rows) and the swap commits and reads wait. Killed before the rename the old file
  /// is as it was, after it the new one is whole; what lies at `.rotating` is for the next start to
  /// remove. An error before the rename leaves the old key in use. One at a time; from a thread
  /// that may wait.
  virtual core::Status rotate_key(const Secret& next, const KeySwap& swap) = 0;

  /// Hands out the main file's bytes (sealed pages) as they were at one moment after the call,
  /// every commit before it included. Changes go on meanwhile; the WAL grows until it returns.
  virtual core::Status copy_file(
      const std::function<core::Status(std::span<const std::byte>)>& take) = 0;
  /// Gives up to `pages_max` pages (4,096 bytes each) that deleted rows have left behind back to
  /// the file system; answers how many are still to be given back. Commits by itself. Like
  /// truncate_wal() it takes one turn among the writers and makes them wait that long.
  virtual core::Result<std::uint64_t> return_free_pages(std::uint64_t pages_max) = 0;
  /// Copies the WAL into the main file and makes it empty, so that deleted rows are in it no more.
  /// False: a reader stood in the way for longer than a commit should wait, or copy_file() runs;
  /// try again later.
  virtual core::Result<bool> truncate_wal() = 0;
};

}  // namespace gateway::crypto
