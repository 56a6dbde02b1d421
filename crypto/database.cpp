#include "crypto/database.h"

#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/schema.h"
#include "crypto/sqlite_connection.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kQueueMax = 1024;
constexpr std::size_t kGroupMax = 256;
constexpr std::size_t kReaders = 3;

// A checkpoint takes longer than a commit, so it waits for a quiet moment unless the WAL has grown
// too far.
constexpr std::uint64_t kCheckpointAnywayPages = 4096;  // 16 MiB
constexpr std::uint64_t kCheckpointWaitingPages =
    32768;  // 128 MiB: readers have kept it from being reused
constexpr auto kIdleTime = std::chrono::seconds(2);

using Steady = std::chrono::steady_clock;

struct Pending {
  Change change;
  Committed committed;
  core::Status outcome;
};

/// Owns the connection that writes. Whoever is to use it marks it busy first: the writer thread
/// with a group of what has queued up, or a lone writer with its own change.
class GroupWriter {
 public:
  explicit GroupWriter(std::unique_ptr<SqliteConnection> connection)
      : connection_(std::move(connection)), thread_([this] { run(); }) {}
  ~GroupWriter() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    work_.notify_all();
    room_.notify_all();
    thread_.join();
  }

  core::Status write(Change change);
  std::optional<core::Status> write_if_idle(const Change& change);
  void write_async(Change change, Committed committed);
  std::uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }

 private:
  enum class Work { commit, checkpoint, close };

  void run();
  Work next_work(std::vector<Pending>& group);
  bool is_checkpoint_due() const;
  void commit_group(std::vector<Pending>& group);
  core::Status apply_all(std::vector<Pending>& group);
  core::Status apply(const Change& change);
  void checkpoint(SqliteConnection::Checkpoint kind);
  void release();

  std::unique_ptr<SqliteConnection> connection_;  // of whoever made busy_ true
  std::atomic<std::uint64_t> groups_{0};
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable room_;
  std::deque<Pending> queue_;
  bool closing_ = false;
  bool busy_ = false;
  std::uint64_t wal_pages_ = 0;  // when it was released
  std::uint64_t next_checkpoint_pages_ = kCheckpointAnywayPages;
  Steady::time_point last_commit_;
  std::thread thread_;  // last: it runs with all of the above
};

core::Status closing_error() {
  return core::Error(core::Code::cancelled, "the database is being closed");
}

core::Status GroupWriter::write(Change change) {
  assert(std::this_thread::get_id() != thread_.get_id());
  // Shared: the writer may still be inside set_value() when the waiting thread goes on.
  auto done = std::make_shared<std::promise<core::Status>>();
  auto outcome = done->get_future();
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return queue_.size() < kQueueMax || closing_; });
    if (closing_) return closing_error();
    queue_.push_back({std::move(change),
                      [done](core::Status status) { done->set_value(std::move(status)); },
                      {}});
  }
  work_.notify_one();
  return outcome.get();
}

std::optional<core::Status> GroupWriter::write_if_idle(const Change& change) {
  {
    std::lock_guard lock(mutex_);
    if (closing_ || busy_ || !queue_.empty()) return std::nullopt;
    busy_ = true;
  }
  std::optional<core::Status> outcome;
  std::vector<Pending> alone;
  alone.push_back({change, [&](core::Status status) { outcome = std::move(status); }, {}});
  commit_group(alone);
  release();
  return outcome;
}

void GroupWriter::write_async(Change change, Committed committed) {
  std::unique_lock lock(mutex_);
  if (closing_ || queue_.size() >= kQueueMax) {
    core::Status refused =
        closing_ ? closing_error()
                 : core::Error(core::Code::busy, "the database has too many changes waiting");
    lock.unlock();
    committed(std::move(refused));
    return;
  }
  queue_.push_back({std::move(change), std::move(committed), {}});
  lock.unlock();
  work_.notify_one();
}

GroupWriter::Work GroupWriter::next_work(std::vector<Pending>& group) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (!busy_) {
      busy_ = true;
      if (!queue_.empty()) break;
      if (closing_) return Work::close;
      if (is_checkpoint_due()) return Work::checkpoint;
      busy_ = false;
    }
    if (wal_pages_ == 0 || busy_) {
      work_.wait(lock);
    } else {
      work_.wait_until(lock, last_commit_ + kIdleTime);
    }
  }
  while (!queue_.empty() && group.size() < kGroupMax) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  lock.unlock();
  room_.notify_all();
  return Work::commit;
}

bool GroupWriter::is_checkpoint_due() const {
  return wal_pages_ >= next_checkpoint_pages_ ||
         (wal_pages_ > 0 && Steady::now() >= last_commit_ + kIdleTime);
}

/// Ends the use of the connection, and wakes the writer thread if there is work for it.
void GroupWriter::release() {
  std::unique_lock lock(mutex_);
  const bool first_page = wal_pages_ == 0;
  wal_pages_ = connection_->wal_pages();
  last_commit_ = Steady::now();
  busy_ = false;
  const bool wake = closing_ || !queue_.empty() || is_checkpoint_due() || first_page;
  lock.unlock();
  if (wake) work_.notify_one();
}

void GroupWriter::run() {
  std::vector<Pending> group;
  group.reserve(kGroupMax);
  for (Work work = next_work(group); work != Work::close; work = next_work(group)) {
    if (work == Work::commit) {
      commit_group(group);
      group.clear();
    } else {
      // Readers that keep the WAL from being reused for too long are waited for.
      checkpoint(connection_->wal_pages() >= kCheckpointWaitingPages
                     ? SqliteConnection::Checkpoint::restart
                     : SqliteConnection::Checkpoint::passive);
    }
    release();
  }
  checkpoint(SqliteConnection::Checkpoint::truncate);
}

void GroupWriter::commit_group(std::vector<Pending>& group) {
  auto whole = apply_all(group);
  connection_->roll_back();  // nothing to do after a COMMIT that succeeded
  if (whole.ok()) groups_.fetch_add(1, std::memory_order_relaxed);
  for (Pending& pending : group) {
    // A change that failed by itself keeps its own reason.
    pending.committed(pending.outcome.ok() ? whole : std::move(pending.outcome));
  }
}

core::Status GroupWriter::apply_all(std::vector<Pending>& group) {
  connection_->roll_back();
  GW_CHECK(connection_->run("BEGIN IMMEDIATE"));
  for (Pending& pending : group) {
    pending.outcome = apply(pending.change);
    // On a full disk or a failed read SQLite undoes the whole transaction by itself: then nobody's
    // change was kept.
    if (!connection_->in_transaction()) return pending.outcome;
  }
  return connection_->run("COMMIT");
}

core::Status GroupWriter::apply(const Change& change) {
  GW_CHECK(connection_->run("SAVEPOINT change"));
  auto outcome = change(*connection_);
  if (!connection_->in_transaction()) {
    if (!outcome.ok()) return outcome;
    return core::Error(core::Code::internal, "a change ended its group's transaction");
  }
  if (!outcome.ok()) GW_CHECK(connection_->run("ROLLBACK TO change"));
  GW_CHECK(connection_->run("RELEASE change"));
  return outcome;
}

void GroupWriter::checkpoint(SqliteConnection::Checkpoint kind) {
  auto done = connection_->checkpoint(kind);
  if (!done.ok()) {
    // The data is safe in the WAL; only its length suffers.
    core::log_warn("crypto", done.error().message());
  }
  const bool complete = done.ok() && *done;
  const std::uint64_t pages = connection_->wal_pages();
  std::lock_guard lock(mutex_);
  // A reader held some pages back: trying at every commit would cost more than it frees.
  next_checkpoint_pages_ = complete ? kCheckpointAnywayPages : pages + kCheckpointAnywayPages;
}

/// A few connections, each lent to one thread at a time.
class ReaderPool {
 public:
  void add(std::unique_ptr<SqliteConnection> reader) { idle_.push_back(std::move(reader)); }
  core::Status read(const std::function<core::Status(Connection&)>& body);

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<SqliteConnection>> idle_;
};

core::Status ReaderPool::read(const std::function<core::Status(Connection&)>& body) {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&] { return !idle_.empty(); });
  auto reader = std::move(idle_.back());
  idle_.pop_back();
  lock.unlock();
  core::Status outcome = reader->run("BEGIN");
  if (outcome.ok()) outcome = body(*reader);
  reader->roll_back();
  lock.lock();
  idle_.push_back(std::move(reader));
  lock.unlock();
  returned_.notify_one();
  return outcome;
}

class SqlcipherDatabase final : public Database {
 public:
  SqlcipherDatabase(std::unique_ptr<SqliteConnection> writer,
                    std::vector<std::unique_ptr<SqliteConnection>> readers)
      : writer_(std::make_unique<GroupWriter>(std::move(writer))) {
    for (auto& reader : readers) readers_.add(std::move(reader));
  }

  core::Status write(Change change) override { return writer_->write(std::move(change)); }
  std::optional<core::Status> write_if_idle(const Change& change) override {
    return writer_->write_if_idle(change);
  }
  void write_async(Change change, Committed committed) override {
    writer_->write_async(std::move(change), std::move(committed));
  }
  core::Status read(const std::function<core::Status(Connection&)>& body) override {
    return readers_.read(body);
  }
  std::uint64_t groups_committed() const override { return writer_->groups(); }

 private:
  // The writer goes last: its closing checkpoint truncates the WAL only when no reader is left.
  std::unique_ptr<GroupWriter> writer_;
  ReaderPool readers_;
};

/// SQLite would make the file with the process's umask; ours is for its owner alone, as its WAL
/// then is too.
core::Status make_file(core::Files& files, const std::string& path) {
  auto made = files.create(path);
  if (!made.ok()) {
    if (made.error().code() == core::Code::exists) return {};
    return std::move(made).error();
  }
  return files.sync_folder(path.substr(0, path.find_last_of('/')));
}

}  // namespace

core::Result<std::unique_ptr<Database>> Database::open(const std::string& path, const Secret& key,
                                                       std::span<const Migration> migrations,
                                                       core::Files& files) {
  const char* const vfs = files.database_vfs();
  GW_CHECK(make_file(files, path));
  GW_TRY(auto writer, SqliteConnection::open(path, key, SqliteConnection::Role::writer, vfs));
  auto migrated = migrate(*writer, migrations);
  if (!migrated.ok()) return std::move(migrated).error().with_context(path);
  std::vector<std::unique_ptr<SqliteConnection>> readers;
  for (std::size_t i = 0; i < kReaders; ++i) {
    GW_TRY(auto reader, SqliteConnection::open(path, key, SqliteConnection::Role::reader, vfs));
    readers.push_back(std::move(reader));
  }
  return std::unique_ptr<Database>(
      std::make_unique<SqlcipherDatabase>(std::move(writer), std::move(readers)));
}

}  // namespace gateway::crypto
