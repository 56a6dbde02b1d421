#include "crypto/database_check.h"

#include <sqlcipher/sqlite3.h>

#include <algorithm>
#include <memory>

#include "crypto/sqlite_connection.h"

namespace gateway::crypto {
namespace {

using Findings = std::vector<std::string>;

constexpr std::size_t kFindingsMax = 100;

/// The rows of a checking pragma, which answers "ok" or nothing when all is well.
core::Status collect(SqliteConnection& connection, std::string_view pragma, Findings& findings) {
  GW_TRY(Rows rows, connection.query(pragma));
  while (findings.size() < kFindingsMax) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    if (rows.text(0) != "ok") findings.emplace_back(rows.text(0));
  }
  return {};
}

/// A page too damaged to go on with ends a pragma early: that is a finding, not a failure.
core::Status collect_even_if_corrupt(SqliteConnection& connection, std::string_view pragma,
                                     Findings& findings) {
  core::Status status = collect(connection, pragma, findings);
  if (status.ok()) return status;
  // SQLCipher answers a bare SQLITE_ERROR to whoever reads a page that fails its authentication; a
  // sector the drive cannot read any more is an I/O error.
  const core::Code code = status.error().code();
  if (code != core::Code::corrupt && code != core::Code::internal && code != core::Code::io)
    return status;
  findings.push_back(status.error().message());
  return {};
}

constexpr int kStepsBetween =
    64;  // pages while trees are walked, less than one while rows are read

/// Hears from SQLite while it works.
struct Progress {
  sqlite3* handle;
  const CheckPace& pace;
  std::uint64_t page_bytes;
  std::uint64_t told = 0;
  bool stopped = false;

  static int step(void* self) { return static_cast<Progress*>(self)->go_on() ? 0 : 1; }
  bool go_on() {
    int misses = 0;
    int unused = 0;
    sqlite3_db_status(handle, SQLITE_DBSTATUS_CACHE_MISS, &misses, &unused, 0);
    const std::uint64_t read = static_cast<std::uint64_t>(misses) * page_bytes;
    stopped = !pace(read - told);
    told = read;
    return !stopped;
  }
};

core::Result<Findings> look_once(core::Files& files, const std::string& path, const Secret& key,
                                 const CheckPace& pace) {
  GW_TRY(auto connection, SqliteConnection::open(files, path, key, SqliteConnection::Role::reader));
  Findings findings;
  // An open snapshot keeps later checkpoints from writing over what is being read.
  GW_CHECK(connection->run("BEGIN"));
  GW_CHECK(collect_even_if_corrupt(*connection, "SELECT count(*) FROM sqlite_schema", findings));
  findings.clear();
  GW_TRY(const auto page_bytes, connection->integer("PRAGMA page_size"));
  Progress progress{connection->handle(), pace, static_cast<std::uint64_t>(page_bytes.value_or(0))};
  sqlite3_progress_handler(connection->handle(), kStepsBetween, &Progress::step, &progress);
  auto looked = collect_even_if_corrupt(*connection, "PRAGMA quick_check", findings);
  sqlite3_progress_handler(connection->handle(), 0, nullptr, nullptr);
  if (progress.stopped) return core::Error(core::Code::cancelled, "the check was stopped");
  GW_CHECK(std::move(looked));
  connection->roll_back();
  return findings;
}

}  // namespace

core::Result<Findings> check_database(core::Files& files, const std::string& path,
                                      const Secret& key, const CheckPace& pace) {
  GW_TRY(Findings findings, look_once(files, path, key, pace));
  if (findings.empty()) return findings;
  GW_TRY(const Findings again, look_once(files, path, key, pace));
  std::erase_if(findings, [&](const std::string& finding) {
    return std::find(again.begin(), again.end(), finding) == again.end();
  });
  return findings;
}

}  // namespace gateway::crypto
