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
#include "crypto/database_copy.h"
#include "crypto/schema.h"
#include "crypto/sqlite_connection.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kQueueMax = 1024;
constexpr std::size_t kGroupMax = 256;
constexpr std::size_t kReaders = 3;
constexpr int kSlicePages = 512;  // 2 MiB between two commits while a key is rotated
constexpr std::size_t kCopyBytes = 1U << 20;

// A checkpoint takes longer than a commit, so it waits for a quiet moment unless the WAL has grown
// too far.
constexpr std::uint64_t kCheckpointAnywayPages = 4096;  // 16 MiB
constexpr std::uint64_t kCheckpointWaitingPages =
    32768;  // 128 MiB: readers have kept it from being reused
constexpr auto kIdleTime = std::chrono::seconds(2);
constexpr int kTurnWaitMs = 50;  // for readers, while writers wait
constexpr int kFillTurns = 50;   // of them, before a copy gives up
constexpr auto kBetweenTurns = std::chrono::milliseconds(50);

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

  /// The connection, or nothing after a swap that failed half-way.
  using Task = std::function<core::Status(std::unique_ptr<SqliteConnection>&)>;
  /// Runs `task` on the writer thread, between two groups, before anything else that waits.
  core::Status exclusively(Task task);
  /// While held the main file does not change: what is committed stays in the WAL. Tasks that would
  /// write it ask first.
  void hold_checkpoints(bool held);
  bool are_checkpoints_held();
  std::uint64_t wal_pages();

 private:
  enum class Work { exclusive, commit, checkpoint, close };

  void run();
  Work next_work(std::vector<Pending>& group);
  bool is_checkpoint_due() const;
  void commit_group(std::vector<Pending>& group);
  core::Status apply_all(std::vector<Pending>& group);
  core::Status apply(const Change& change);
  void checkpoint(SqliteConnection::Checkpoint kind, int wait_ms);
  void release();

  struct WaitingTask {
    Task task;
    std::promise<core::Status> done;
  };
  void run_exclusive();

  std::unique_ptr<SqliteConnection> connection_;  // of whoever made busy_ true
  std::atomic<std::uint64_t> groups_{0};
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable room_;
  std::deque<Pending> queue_;
  std::deque<WaitingTask*> tasks_;  // of callers that wait for them
  bool checkpoints_held_ = false;
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

core::Status reopening_failed() {
  return core::Error(core::Code::io,
                     "the database did not open again after its key was rotated; restart the "
                     "service, which finishes the rotation or undoes it");
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
    if (closing_ || busy_ || !queue_.empty() || !tasks_.empty()) return std::nullopt;
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
      if (!tasks_.empty()) return Work::exclusive;
      if (!queue_.empty()) break;
      if (closing_) return Work::close;
      if (is_checkpoint_due()) return Work::checkpoint;
      busy_ = false;
    }
    if (wal_pages_ == 0 || busy_ || checkpoints_held_) {
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
  if (checkpoints_held_) return false;
  return wal_pages_ >= next_checkpoint_pages_ ||
         (wal_pages_ > 0 && Steady::now() >= last_commit_ + kIdleTime);
}

/// Ends the use of the connection, and wakes the writer thread if there is work for it.
void GroupWriter::release() {
  std::unique_lock lock(mutex_);
  const bool first_page = wal_pages_ == 0;
  wal_pages_ = connection_ ? connection_->wal_pages() : 0;
  last_commit_ = Steady::now();
  busy_ = false;
  const bool wake =
      closing_ || !queue_.empty() || !tasks_.empty() || is_checkpoint_due() || first_page;
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
    } else if (work == Work::exclusive) {
      run_exclusive();
    } else {
      // Readers that keep the WAL from being reused for too long are waited for, but not the one
      // that reads for minutes: commits wait meanwhile.
      checkpoint(connection_->wal_pages() >= kCheckpointWaitingPages
                     ? SqliteConnection::Checkpoint::restart
                     : SqliteConnection::Checkpoint::passive,
                 kTurnWaitMs);
    }
    release();
  }
  if (connection_)
    checkpoint(SqliteConnection::Checkpoint::truncate, SqliteConnection::kReaderWaitMs);
}

core::Status GroupWriter::exclusively(Task task) {
  assert(std::this_thread::get_id() != thread_.get_id());
  WaitingTask waiting{std::move(task), {}};
  auto outcome = waiting.done.get_future();
  {
    std::lock_guard lock(mutex_);
    if (closing_) return closing_error();
    tasks_.push_back(&waiting);
  }
  work_.notify_one();
  return outcome.get();
}

void GroupWriter::run_exclusive() {
  std::unique_lock lock(mutex_);
  WaitingTask* waiting = tasks_.front();
  tasks_.pop_front();
  lock.unlock();
  auto done = std::move(waiting->done);
  done.set_value(waiting->task(connection_));
}

void GroupWriter::hold_checkpoints(bool held) {
  {
    std::lock_guard lock(mutex_);
    checkpoints_held_ = held;
  }
  work_.notify_one();
}

bool GroupWriter::are_checkpoints_held() {
  std::lock_guard lock(mutex_);
  return checkpoints_held_;
}

std::uint64_t GroupWriter::wal_pages() {
  std::lock_guard lock(mutex_);
  return wal_pages_;
}

void GroupWriter::commit_group(std::vector<Pending>& group) {
  core::Status whole = reopening_failed();
  if (connection_) {
    whole = apply_all(group);
    connection_->roll_back();  // nothing to do after a COMMIT that succeeded
  }
  if (whole.ok()) groups_.fetch_add(1, std::memory_order_relaxed);
  for (Pending& pending : group) {
    // A change that failed by itself keeps its own reason.
    pending.committed(pending.outcome.ok() ? whole : std::move(pending.outcome));
  }
}

core::Status GroupWriter::apply_all(std::vector<Pending>& group) {
  connection_->roll_back();
  GW_CHECK(connection_->run("BEGIN IMMEDIATE"));
  if (group.size() == 1) {
    // The transaction is its savepoint; one more would keep a copy of every page it changes.
    GW_CHECK(group.front().change(*connection_));
    return connection_->run("COMMIT");
  }
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

void GroupWriter::checkpoint(SqliteConnection::Checkpoint kind, int wait_ms) {
  auto done = connection_->checkpoint(kind, wait_ms);
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
  core::Status read(const std::function<core::Status(Connection&)>& body);
  /// Waits for every reader to come back, and closes them: further reads wait for reopen().
  void close_all();
  /// Lends again; with fewer or none when some did not open.
  void reopen(std::vector<std::unique_ptr<SqliteConnection>> readers);

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<SqliteConnection>> idle_;
  std::size_t lent_ = 0;
  bool closed_ = false;
};

void ReaderPool::close_all() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  returned_.wait(lock, [&] { return lent_ == 0; });
  idle_.clear();
}

void ReaderPool::reopen(std::vector<std::unique_ptr<SqliteConnection>> readers) {
  {
    std::lock_guard lock(mutex_);
    idle_ = std::move(readers);
    closed_ = false;
  }
  returned_.notify_all();
}

core::Status ReaderPool::read(const std::function<core::Status(Connection&)>& body) {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&] { return !closed_ && (!idle_.empty() || lent_ == 0); });
  if (idle_.empty()) return reopening_failed();
  auto reader = std::move(idle_.back());
  idle_.pop_back();
  ++lent_;
  lock.unlock();
  core::Status outcome = reader->run("BEGIN");
  if (outcome.ok()) outcome = body(*reader);
  reader->roll_back();
  lock.lock();
  idle_.push_back(std::move(reader));
  --lent_;
  // Whoever closes the readers may wait beside those who want one.
  const bool closing = closed_;
  lock.unlock();
  if (closing) {
    returned_.notify_all();
  } else {
    returned_.notify_one();
  }
  return outcome;
}

core::Result<std::vector<std::unique_ptr<SqliteConnection>>> open_readers(core::Files& files,
                                                                          const std::string& path,
                                                                          const Secret& key) {
  std::vector<std::unique_ptr<SqliteConnection>> readers;
  for (std::size_t i = 0; i < kReaders; ++i) {
    GW_TRY(auto reader, SqliteConnection::open(files, path, key, SqliteConnection::Role::reader));
    readers.push_back(std::move(reader));
  }
  return readers;
}

class SqlcipherDatabase final : public Database {
 public:
  SqlcipherDatabase(core::Files& files, std::string path, const Secret& key,
                    std::unique_ptr<SqliteConnection> writer,
                    std::vector<std::unique_ptr<SqliteConnection>> readers)
      : files_(files),
        path_(std::move(path)),
        key_(key.clone()),
        writer_(std::make_unique<GroupWriter>(std::move(writer))) {
    readers_.reopen(std::move(readers));
  }

  core::Status write(Change change) override {
    core::Status written = writer_->write(std::move(change));
    watch(written);
    return written;
  }
  std::optional<core::Status> write_if_idle(const Change& change) override {
    auto written = writer_->write_if_idle(change);
    if (written) watch(*written);
    return written;
  }
  void write_async(Change change, Committed committed) override {
    // The writer, which calls this, goes before the count does.
    writer_->write_async(std::move(change),
                         [this, committed = std::move(committed)](core::Status status) {
                           watch(status);
                           committed(std::move(status));
                         });
  }
  core::Status read(const std::function<core::Status(Connection&)>& body) override {
    core::Status read = readers_.read(body);
    watch(read);
    return read;
  }
  std::uint64_t damage_suspected() const override { return suspicions_; }
  std::uint64_t groups_committed() const override { return writer_->groups(); }
  std::uint64_t wal_pages() const override { return writer_->wal_pages(); }
  core::Status rotate_key(const Secret& next, const KeySwap& swap) override;
  core::Status copy_file(
      const std::function<core::Status(std::span<const std::byte>)>& take) override;
  core::Result<std::uint64_t> return_free_pages(std::uint64_t pages_max) override;
  core::Result<bool> truncate_wal() override;

 private:
  void watch(const core::Status& status) {
    if (!status.ok() && status.error().code() == core::Code::corrupt) ++suspicions_;
  }
  core::Status copy_slices(const std::string& beside, const Secret& next,
                           std::unique_ptr<DatabaseCopy>& copy);
  core::Status swap_files(std::unique_ptr<SqliteConnection>& writer, const std::string& beside,
                          const Secret& next, const KeySwap& swap);
  core::Status close_file(std::unique_ptr<SqliteConnection>& writer);
  core::Status open_again(std::unique_ptr<SqliteConnection>& writer, const Secret& key);
  core::Status fill_main_file();
  core::Status hand_out(const std::function<core::Status(std::span<const std::byte>)>& take);

  core::Files& files_;
  const std::string path_;
  std::mutex maintenance_;  // one rotation or copy of the file at a time
  Secret key_;              // under maintenance_
  std::atomic<std::uint64_t> suspicions_{0};
  // The writer goes last: its closing checkpoint truncates the WAL only when no reader is left.
  std::unique_ptr<GroupWriter> writer_;
  ReaderPool readers_;
};

core::Status SqlcipherDatabase::rotate_key(const Secret& next, const KeySwap& swap) {
  std::lock_guard one(maintenance_);
  const std::string beside = path_ + kRotatingSuffix;
  std::unique_ptr<DatabaseCopy> copy;
  auto done = copy_slices(beside, next, copy);
  if (done.ok()) {
    done = writer_->exclusively([&](std::unique_ptr<SqliteConnection>& writer) -> core::Status {
      if (!writer) return reopening_failed();
      GW_CHECK(copy->finish());
      copy.reset();
      GW_CHECK(prove_copy(files_, *writer, beside, next));
      return swap_files(writer, beside, next, swap);
    });
  }
  if (copy) {
    // SQLite's end of a copy looks at the source's connection: the writer's thread owns that.
    auto ended = writer_->exclusively([&](std::unique_ptr<SqliteConnection>&) -> core::Status {
      copy.reset();
      return {};
    });
    if (done.ok()) done = std::move(ended);
  }
  if (!done.ok()) {
    const auto removed = remove_database_files(files_, beside);
    if (!removed.ok()) core::log_warn("crypto", removed.error().message());
  }
  return done;
}

core::Status SqlcipherDatabase::copy_slices(const std::string& beside, const Secret& next,
                                            std::unique_ptr<DatabaseCopy>& copy) {
  GW_CHECK(writer_->exclusively([&](std::unique_ptr<SqliteConnection>& writer) -> core::Status {
    if (!writer) return reopening_failed();
    GW_TRY(copy, DatabaseCopy::begin(files_, *writer, beside, next));
    return copy->step(1);
  }));
  while (copy->pages_left() > kSlicePages) {
    GW_CHECK(writer_->exclusively(
        [&](std::unique_ptr<SqliteConnection>&) { return copy->step(kSlicePages); }));
  }
  return {};
}

core::Status SqlcipherDatabase::swap_files(std::unique_ptr<SqliteConnection>& writer,
                                           const std::string& beside, const Secret& next,
                                           const KeySwap& swap) {
  GW_CHECK(swap.announce());
  auto ready = close_file(writer);
  if (ready.ok()) ready = files_.rename(beside, path_);
  if (!ready.ok()) {
    GW_CHECK(open_again(writer, key_));
    return ready;
  }
  key_ = next.clone();
  auto durable = files_.sync_folder(path_.substr(0, path_.find_last_of('/')));
  GW_CHECK(open_again(writer, key_));
  GW_CHECK(std::move(durable));
  return swap.confirm();
}

/// Everything committed is in the main file afterwards, and no WAL is left that the next file of
/// this name would take for its own.
core::Status SqlcipherDatabase::close_file(std::unique_ptr<SqliteConnection>& writer) {
  readers_.close_all();
  GW_TRY(const bool complete, writer->checkpoint(SqliteConnection::Checkpoint::truncate));
  if (!complete) {
    return core::Error(core::Code::busy, core::cat("the WAL of ", path_, " cannot be emptied"));
  }
  writer.reset();
  GW_TRY(const bool left, files_.exists(path_ + "-wal"));
  if (left) GW_CHECK(files_.remove(path_ + "-wal"));  // emptied above
  return files_.sync_folder(path_.substr(0, path_.find_last_of('/')));
}

core::Status SqlcipherDatabase::open_again(std::unique_ptr<SqliteConnection>& writer,
                                           const Secret& key) {
  std::vector<std::unique_ptr<SqliteConnection>> none;
  if (!writer) {
    auto opened = SqliteConnection::open(files_, path_, key, SqliteConnection::Role::writer);
    if (!opened.ok()) {
      readers_.reopen(std::move(none));
      return std::move(opened).error();
    }
    writer = std::move(*opened);
  }
  auto readers = open_readers(files_, path_, key);
  readers_.reopen(readers.ok() ? std::move(*readers) : std::move(none));
  if (!readers.ok()) return std::move(readers).error();
  return {};
}

core::Status SqlcipherDatabase::copy_file(
    const std::function<core::Status(std::span<const std::byte>)>& take) {
  std::lock_guard one(maintenance_);
  auto copied = fill_main_file();
  if (copied.ok()) copied = hand_out(take);
  writer_->hold_checkpoints(false);
  return copied;
}

core::Status SqlcipherDatabase::fill_main_file() {
  bool complete = false;
  const auto fill = [&](std::unique_ptr<SqliteConnection>& writer) -> core::Status {
    if (!writer) return reopening_failed();
    GW_TRY(complete, writer->checkpoint(SqliteConnection::Checkpoint::restart, kTurnWaitMs));
    if (complete) writer_->hold_checkpoints(true);
    return {};
  };
  for (int turn = 0; turn < kFillTurns; ++turn) {
    GW_CHECK(writer_->exclusively(fill));
    if (complete) return {};
    std::this_thread::sleep_for(kBetweenTurns);  // for the writers
  }
  return core::Error(core::Code::busy,
                     "long reads keep the database from being copied; try again later");
}

core::Status SqlcipherDatabase::hand_out(
    const std::function<core::Status(std::span<const std::byte>)>& take) {
  GW_TRY(auto reader, SqliteConnection::open(files_, path_, key_, SqliteConnection::Role::reader));
  std::vector<std::byte> buffer(kCopyBytes);
  for (std::uint64_t at = 0;;) {
    GW_TRY(const std::size_t got, reader->read_file(at, buffer));
    if (got == 0) return {};
    GW_CHECK(take(std::span(buffer).first(got)));
    at += got;
  }
}

core::Result<std::uint64_t> SqlcipherDatabase::return_free_pages(std::uint64_t pages_max) {
  std::uint64_t left = 0;
  const auto vacuum = [&](std::unique_ptr<SqliteConnection>& writer) -> core::Status {
    if (!writer) return reopening_failed();
    GW_CHECK(writer->run_script(core::cat("PRAGMA incremental_vacuum(", pages_max, ")")));
    GW_TRY(const auto free, writer->integer("PRAGMA freelist_count"));
    left = static_cast<std::uint64_t>(free.value_or(0));
    return {};
  };
  GW_CHECK(writer_->exclusively(vacuum));
  return left;
}

core::Result<bool> SqlcipherDatabase::truncate_wal() {
  bool truncated = false;
  const auto truncate = [&](std::unique_ptr<SqliteConnection>& writer) -> core::Status {
    if (!writer) return reopening_failed();
    if (writer_->are_checkpoints_held()) return {};  // the main file is being copied
    GW_TRY(truncated, writer->checkpoint(SqliteConnection::Checkpoint::truncate, kTurnWaitMs));
    return {};
  };
  GW_CHECK(writer_->exclusively(truncate));
  return truncated;
}

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
  GW_CHECK(make_file(files, path));
  GW_TRY(auto writer, SqliteConnection::open(files, path, key, SqliteConnection::Role::writer));
  auto migrated = migrate(*writer, migrations);
  if (!migrated.ok()) return std::move(migrated).error().with_context(path);
  GW_TRY(auto readers, open_readers(files, path, key));
  return std::unique_ptr<Database>(
      std::make_unique<SqlcipherDatabase>(files, path, key, std::move(writer), std::move(readers)));
}

}  // namespace gateway::crypto
