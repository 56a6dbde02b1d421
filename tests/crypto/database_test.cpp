#include "crypto/database.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>
#include <vector>

#include "core/text.h"
#include "crypto/database_check.h"
#include "tests/crypto/keys.h"
#include "tests/crypto/scratch_folder.h"

namespace gateway::crypto {
namespace {

constexpr std::array<Migration, 2> kSchema = {
    Migration{"core", 1, "note",
              "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"},
    Migration{"sync", 1, "link",
              "CREATE TABLE link (note INTEGER NOT NULL REFERENCES note(id));"
              "CREATE INDEX link_note ON link (note);"}};

Secret fixed_key(char fill = 'k') { return Secret::copy_of(std::string(kKeyBytes, fill)); }

core::Result<std::unique_ptr<Database>> open_at(const std::string& path) {
  return Database::open(path, fixed_key(), kSchema);
}

std::int64_t count_notes(Database& database) {
  auto count = database.read_value<std::optional<std::int64_t>>(
      [](Connection& connection) { return connection.integer("SELECT count(*) FROM note"); });
  EXPECT_TRUE(count.ok());
  return count->value_or(-1);
}

Change add_note(std::string body) {
  return [body = std::move(body)](Connection& connection) {
    return connection.run("INSERT INTO note (body) VALUES (?)", body);
  };
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    database_.reset();
    auto opened = open_at(path_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    database_ = std::move(*opened);
  }

  ScratchFolder folder_;
  std::string path_ = folder_ / "gateway.db";
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, KeepsWhatWasWritten) {
  ASSERT_TRUE(database_->write(add_note("one")).ok());
  EXPECT_EQ(count_notes(*database_), 1);
  EXPECT_EQ(database_->groups_committed(), 1u);
  reopen();
  EXPECT_EQ(count_notes(*database_), 1);
}

TEST_F(DatabaseTest, BindsAndReadsEveryKindOfValue) {
  const std::string blob("\0\1\2", 3);
  auto status = database_->write([&](Connection& connection) -> core::Status {
    GW_CHECK(connection.run("CREATE TABLE kind (i, t, b, n, empty_text, empty_blob)"));
    GW_CHECK(connection.run("INSERT INTO kind VALUES (?, ?, ?, ?, ?, ?)", INT64_MIN, "t\xc3\xa9xt",
                            std::as_bytes(std::span(blob)), nullptr, std::string_view(),
                            std::span<const std::byte>()));
    EXPECT_EQ(connection.changes(), 1);
    EXPECT_EQ(connection.last_row(), 1);
    GW_TRY(Rows rows,
           connection.query("SELECT * FROM kind WHERE t = ?", std::string("t\xc3\xa9xt")));
    GW_TRY(bool row, rows.next());
    EXPECT_TRUE(row);
    EXPECT_EQ(rows.integer(0), INT64_MIN);
    EXPECT_EQ(rows.text(1), "t\xc3\xa9xt");
    EXPECT_EQ(rows.blob(2).size(), 3u);
    EXPECT_EQ(rows.text(2), blob);
    EXPECT_TRUE(rows.is_null(3));
    EXPECT_FALSE(rows.is_null(4));
    EXPECT_FALSE(rows.is_null(5));
    GW_TRY(bool more, rows.next());
    EXPECT_FALSE(more);
    return {};
  });
  EXPECT_TRUE(status.ok()) << status.error().message();
}

TEST_F(DatabaseTest, TheSameStatementMayRunInsideItself) {
  ASSERT_TRUE(database_->write(add_note("a")).ok());
  ASSERT_TRUE(database_->write(add_note("b")).ok());
  auto status = database_->read([](Connection& connection) -> core::Status {
    int seen = 0;
    GW_TRY(Rows outer, connection.query("SELECT body FROM note"));
    while (true) {
      GW_TRY(bool row, outer.next());
      if (!row) break;
      GW_TRY(Rows inner, connection.query("SELECT body FROM note"));
      GW_TRY(bool first, inner.next());
      EXPECT_TRUE(first);
      ++seen;
    }
    EXPECT_EQ(seen, 2);
    return {};
  });
  EXPECT_TRUE(status.ok()) << status.error().message();
}

TEST_F(DatabaseTest, ManyDifferentStatementsDoNotPileUp) {
  auto status = database_->read([](Connection& connection) -> core::Status {
    for (int i = 0; i < 1000; ++i) {
      GW_TRY(auto value, connection.integer(core::cat("SELECT ", i)));
      EXPECT_EQ(value, i);
    }
    return {};
  });
  EXPECT_TRUE(status.ok());
}

TEST_F(DatabaseTest, RefusesStatementsThatAreNotOneOrLackParameters) {
  auto status = database_->write([](Connection& connection) -> core::Status {
    EXPECT_FALSE(connection.run("SELECT 1; SELECT 2").ok());
    EXPECT_FALSE(connection.run("").ok());
    EXPECT_FALSE(connection.run("INSERT INTO note (body) VALUES (?)").ok());
    EXPECT_FALSE(connection.run("INSERT INTO note (body) VALUES ('x')", "surplus").ok());
    EXPECT_FALSE(connection.run("SELEKT").ok());
    return {};
  });
  EXPECT_TRUE(status.ok());
}

TEST_F(DatabaseTest, AFailingChangeIsUndoneAlone) {
  std::atomic<int> outcomes{0};
  std::promise<void> all_in;
  std::vector<core::Status> results(4);
  // The first change holds the group back until the others wait behind it.
  database_->write_async(
      [&](Connection&) {
        all_in.get_future().wait();
        return core::Status();
      },
      [&](core::Status status) { results[0] = std::move(status), ++outcomes; });
  auto enqueue = [&](std::size_t index, Change change) {
    database_->write_async(std::move(change), [&, index](core::Status status) {
      results[index] = std::move(status);
      ++outcomes;
    });
  };
  enqueue(1, add_note("before"));
  enqueue(2, [](Connection& connection) -> core::Status {
    GW_CHECK(connection.run("INSERT INTO note (body) VALUES ('half')"));
    return connection.run("INSERT INTO note (id, body) VALUES (1, 'twice')");
  });
  enqueue(3, add_note("after"));
  all_in.set_value();
  ASSERT_TRUE(database_->write(add_note("last")).ok());
  ASSERT_EQ(outcomes, 4);
  EXPECT_TRUE(results[1].ok());
  ASSERT_FALSE(results[2].ok());
  EXPECT_EQ(results[2].error().code(), core::Code::exists);
  EXPECT_TRUE(results[3].ok());
  EXPECT_EQ(count_notes(*database_), 3);
}

TEST_F(DatabaseTest, ErrorsTellWhatTheCallerCanDo) {
  EXPECT_EQ(database_
                ->write([](Connection& connection) {
                  return connection.run("INSERT INTO note (body) VALUES (NULL)");
                })
                .error()
                .code(),
            core::Code::invalid);
  EXPECT_EQ(database_
                ->write([](Connection& connection) {
                  return connection.run("INSERT INTO link (note) VALUES (77)");
                })
                .error()
                .code(),
            core::Code::invalid);
  EXPECT_EQ(
      database_
          ->write([](Connection&) { return core::Status(core::Error(core::Code::refused, "no")); })
          .error()
          .code(),
      core::Code::refused);
}

TEST_F(DatabaseTest, GroupsWhatManyThreadsWrite) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        ASSERT_TRUE(database_->write(add_note(core::cat(t, "/", i))).ok());
        if (i % 10 == 0) {
          ASSERT_GE(count_notes(*database_), i);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count_notes(*database_), kThreads * kEach);
  EXPECT_LT(database_->groups_committed(), static_cast<std::uint64_t>(kThreads * kEach));
}

TEST_F(DatabaseTest, AFullQueueAnswersBusyAndDropsNothing) {
  std::promise<void> go;
  std::promise<void> started;
  auto gate = go.get_future().share();
  database_->write_async(
      [&started, gate](Connection&) {
        started.set_value();
        gate.wait();
        return core::Status();
      },
      [](core::Status) {});
  started.get_future().wait();
  std::atomic<int> committed{0};
  int busy = 0;
  for (int i = 0; i < 1100; ++i) {
    database_->write_async(add_note("x"), [&](core::Status status) {
      if (status.ok()) {
        ++committed;
      } else {
        EXPECT_EQ(status.error().code(), core::Code::busy);
        ++busy;  // answered at once, on this thread
      }
    });
  }
  EXPECT_EQ(busy, 1100 - 1024);
  go.set_value();
  database_.reset();
  EXPECT_EQ(committed, 1024);
  reopen();
  EXPECT_EQ(count_notes(*database_), 1024);
}

TEST_F(DatabaseTest, ReadersSeeOneSnapshotAndCannotWrite) {
  ASSERT_TRUE(database_->write(add_note("one")).ok());
  auto status = database_->read([&](Connection& connection) -> core::Status {
    GW_TRY(auto before, connection.integer("SELECT count(*) FROM note"));
    GW_CHECK(database_->write(add_note("two")));
    GW_TRY(auto after, connection.integer("SELECT count(*) FROM note"));
    EXPECT_EQ(before, after);
    EXPECT_FALSE(connection.run("INSERT INTO note (body) VALUES ('three')").ok());
    return {};
  });
  EXPECT_TRUE(status.ok()) << status.error().message();
  EXPECT_EQ(count_notes(*database_), 2);
}

TEST_F(DatabaseTest, FilesAreForTheirOwnerAlone) {
  ASSERT_TRUE(database_->write(add_note("one")).ok());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat facts {};
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &facts), 0) << suffix;
    EXPECT_EQ(facts.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(DatabaseTest, NothingOfItsContentIsReadableOnDisk) {
  const std::string planted = "MUSTERMANN^ERIKA^1964-08-12";
  auto search = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      EXPECT_EQ(bytes_of(entry.path()).find(planted), std::string::npos) << entry.path();
    }
  };
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(database_->write(add_note(planted)).ok());
  // Sorting more than the cache holds would spill, were temporary tables on disk.
  ASSERT_TRUE(
      database_
          ->write([](Connection& connection) {
            return connection.run(
                "INSERT INTO note (body) SELECT a.body || hex(randomblob(300)) FROM note a, "
                "note b ORDER BY random()");
          })
          .ok());
  search();
  database_.reset();
  search();
  EXPECT_NE(bytes_of(path_).substr(0, 15), "SQLite format 3");
}

TEST_F(DatabaseTest, HasTheSettingsItPromises) {
  auto status = database_->write([](Connection& connection) -> core::Status {
    auto expect = [&](std::string_view pragma, std::int64_t value) {
      auto read = connection.integer(core::cat("PRAGMA ", pragma));
      ASSERT_TRUE(read.ok()) << pragma;
      EXPECT_EQ(*read, value) << pragma;
    };
    expect("auto_vacuum", 2);
    expect("synchronous", 2);
    expect("foreign_keys", 1);
    expect("temp_store", 2);
    expect("trusted_schema", 0);
    expect("page_size", 4096);
    expect("wal_autocheckpoint", 0);
    GW_TRY(auto mode, connection.text("PRAGMA journal_mode"));
    EXPECT_EQ(mode, "wal");
    return {};
  });
  EXPECT_TRUE(status.ok());
}

TEST_F(DatabaseTest, AnotherKeyStaysLockedAndHarmsNothing) {
  ASSERT_TRUE(database_->write(add_note("one")).ok());
  database_.reset();
  auto opened = Database::open(path_, fixed_key('w'), kSchema);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), core::Code::locked);
  EXPECT_EQ(Database::open(path_, Secret(16), kSchema).error().code(), core::Code::internal);
  reopen();
  EXPECT_EQ(count_notes(*database_), 1);
}

TEST_F(DatabaseTest, ADamagedPageIsReportedAsDamage) {
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(database_->write(add_note(std::string(1000, 'n'))).ok());
  database_.reset();
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 20 + 100);
    file.put('!');
  }
  reopen();
  auto read = database_->read_value<std::optional<std::int64_t>>([](Connection& connection) {
    return connection.integer("SELECT sum(length(body)) FROM note");
  });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), core::Code::corrupt) << read.error().message();
}

TEST_F(DatabaseTest, RefusesANewerOrAnotherSchema) {
  database_.reset();
  auto older = Database::open(path_, fixed_key(), std::span(kSchema).first(1));
  ASSERT_FALSE(older.ok());
  EXPECT_EQ(older.error().code(), core::Code::invalid);
  EXPECT_NE(older.error().message().find("written by a newer clinic-gateway"), std::string::npos);

  auto renamed = kSchema;
  renamed[1].name = "other";
  EXPECT_EQ(Database::open(path_, fixed_key(), renamed).error().code(), core::Code::invalid);
  auto gap = kSchema;
  gap[1].number = 2;
  EXPECT_EQ(Database::open(path_, fixed_key(), gap).error().code(), core::Code::internal);
  reopen();
}

TEST_F(DatabaseTest, MigratesAllTheWayOrNotAtAll) {
  ASSERT_TRUE(database_->write(add_note("kept")).ok());
  database_.reset();
  std::vector<Migration> grown(kSchema.begin(), kSchema.end());
  grown.push_back({"core", 2, "mark", "ALTER TABLE note ADD COLUMN mark TEXT;"});
  grown.push_back({"core", 3, "broken", "CREATE TABLE good (x); CREATE TABLE good (x);"});
  auto failed = Database::open(path_, fixed_key(), grown);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message().find("core/3 broken"), std::string::npos);
  reopen();
  database_.reset();
  grown[3].sql = "CREATE TABLE good (x);";
  auto migrated = Database::open(path_, fixed_key(), grown);
  ASSERT_TRUE(migrated.ok()) << migrated.error().message();
  EXPECT_EQ(count_notes(**migrated), 1);
  EXPECT_TRUE((*migrated)
                  ->write([](Connection& connection) {
                    return connection.run("UPDATE note SET mark = 'm'");
                  })
                  .ok());
}

TEST_F(DatabaseTest, AMigrationThatLeavesDanglingReferencesIsUndone) {
  database_.reset();
  std::vector<Migration> grown(kSchema.begin(), kSchema.end());
  grown.push_back({"sync", 2, "dangling", "INSERT INTO link (note) VALUES (42);"});
  EXPECT_FALSE(Database::open(path_, fixed_key(), grown).ok());
  reopen();
}

/// No file may grow past `bytes` while this lives: the kernel refuses the write as it would on a
/// full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(DatabaseTest, WritesAgainAfterACommitThatFailed) {
  ASSERT_TRUE(database_->write(add_note("before")).ok());
  {
    FileSizeLimit full(std::filesystem::file_size(path_ + "-wal"));
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        auto failed = database_->write(add_note(std::string(20000, 'x')));
        if (!failed.ok() && failed.error().code() == core::Code::io) ++failures;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failures, 4);
  }
  ASSERT_TRUE(database_->write(add_note("after")).ok());
  EXPECT_EQ(count_notes(*database_), 2);
  reopen();
  EXPECT_EQ(count_notes(*database_), 2);
}

TEST_F(DatabaseTest, RunsOutOfSpaceInsideAChangeAndRecovers) {
  auto limit_pages = [&](int more) {
    return database_->write([more](Connection& connection) -> core::Status {
      GW_TRY(auto pages, connection.integer("PRAGMA page_count"));
      const std::int64_t limit = *pages + more;
      GW_TRY(auto set, connection.integer(core::cat("PRAGMA max_page_count = ", limit)));
      EXPECT_EQ(set, limit);
      return {};
    });
  };
  ASSERT_TRUE(limit_pages(0).ok());
  auto full = database_->write(add_note(std::string(100000, 'x')));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code(), core::Code::no_space) << full.error().message();
  ASSERT_TRUE(limit_pages(1000).ok());
  EXPECT_TRUE(database_->write(add_note(std::string(100000, 'x'))).ok());
  EXPECT_EQ(count_notes(*database_), 1);
}

TEST_F(DatabaseTest, TheWalIsBoundedAndGoneAfterClosing) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(
        database_->write(add_note(std::string(400000, static_cast<char>('a' + i % 26)))).ok());
  }
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 40U << 20);
  EXPECT_GT(database_->wal_pages(), 0U);
  database_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
}

TEST_F(DatabaseTest, GivesTheSpaceOfDeletedRowsBackAndLeavesNothingInTheWal) {
  const std::string body(10'000, 'x');
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(database_->write(add_note(body)).ok());
  ASSERT_TRUE(*database_->truncate_wal());
  const auto full = std::filesystem::file_size(path_);
  ASSERT_TRUE(
      database_->write([](Connection& connection) { return connection.run("DELETE FROM note"); })
          .ok());

  const auto left = database_->return_free_pages(10);
  ASSERT_TRUE(left.ok()) << left.error().message();
  EXPECT_GT(*left, 400u);
  const auto none = database_->return_free_pages(10'000);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, 0u);
  ASSERT_TRUE(*database_->truncate_wal());
  EXPECT_EQ(std::filesystem::file_size(path_ + "-wal"), 0u);
  EXPECT_LT(std::filesystem::file_size(path_), full / 10);
  EXPECT_TRUE(database_->write(add_note("after it")).ok());
}

TEST_F(DatabaseTest, AReaderPutsTheTruncationOffAndDoesNotHoldUpWriters) {
  ASSERT_TRUE(database_->write(add_note("one")).ok());
  const auto read = database_->read([&](Connection& connection) -> core::Status {
    GW_CHECK(connection.integer("SELECT count(*) FROM note"));
    EXPECT_TRUE(database_->write(add_note("two")).ok());
    const auto truncated = database_->truncate_wal();
    EXPECT_TRUE(truncated.ok());
    EXPECT_FALSE(*truncated);
    return {};
  });
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(*database_->truncate_wal());
}

TEST_F(DatabaseTest, TurnsAreTakenAmongManyWriters) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&] {
      while (!stop) {
        if (database_->write_if_idle(add_note("alone"))) continue;
        EXPECT_TRUE(database_->write(add_note("grouped")).ok());
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(database_->return_free_pages(1).ok());
    EXPECT_TRUE(database_->truncate_wal().ok());
  }
  stop = true;
  for (auto& writer : writers) writer.join();
}

TEST_F(DatabaseTest, TheCheckFindsADamagedPageWhileTheDatabaseIsInUse) {
  std::uint64_t read = 0;
  const CheckPace at_once = [&](std::uint64_t bytes) {
    read += bytes;
    return true;
  };
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(database_->write(add_note(std::string(3'000, 'x'))).ok());
  }
  ASSERT_TRUE(*database_->truncate_wal());
  const auto sound = check_database(core::system_files(), path_, fixed_key(), at_once);
  ASSERT_TRUE(sound.ok()) << sound.error().message();
  EXPECT_TRUE(sound->empty()) << sound->front();
  EXPECT_GT(read, 200'000U) << "each page is read";
  const auto stopped =
      check_database(core::system_files(), path_, fixed_key(), [](std::uint64_t) { return false; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code(), core::Code::cancelled);

  {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(50 * 4096 + 1000);
    file.put('?');
  }
  const auto damaged = check_database(core::system_files(), path_, fixed_key(), at_once);
  ASSERT_TRUE(damaged.ok()) << damaged.error().message();
  ASSERT_FALSE(damaged->empty());
  EXPECT_NE(damaged->front().find("51"), std::string::npos) << damaged->front();
}

}  // namespace
}  // namespace gateway::crypto
