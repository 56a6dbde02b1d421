// The gateway's database in memory: the real connection class, schema and statements, without a
// disk. What a change did is there when it has been applied, as if it were durable; a crash loses
// what had not been applied. reset() brings the empty schema back without making it again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "crypto/database.h"
#include "crypto/sqlite_connection.h"
#include "tests/sim/chance.h"
#include "tests/sim/mutations.h"
#include "tests/sim/virtual_time.h"

namespace gateway::sim {

class MemoryRecords {
 public:
  MemoryRecords();
  void reset();
  /// One transaction: undone when it fails.
  core::Status apply(const crypto::Change& change);
  crypto::Connection& connection() { return *connection_; }

 private:
  std::unique_ptr<crypto::SqliteConnection> connection_;
  bool begun_ = false;
};

/// One run of a gateway's process, from its start to its stop or crash.
struct Life {
  bool alive = true;
  int steps_left = -1;  // to the crash; negative: none is planned
  std::function<void()> crash;

  /// Something durable or visible is about to happen, or just did. False: the process is gone.
  bool step() {
    if (alive && steps_left >= 0 && steps_left-- == 0) crash();
    return alive;
  }
};

/// What one life sees of the records. Changes take a moment, and the life may end before or after.
class LivingDatabase final : public crypto::Database {
 public:
  LivingDatabase(MemoryRecords& records, std::shared_ptr<Life> life, VirtualTime& time,
                 Chance& chance, const core::Clock& clock)
      : records_(records), life_(std::move(life)), time_(time), chance_(chance), clock_(clock) {}

  core::Status write(crypto::Change change) override { return records_.apply(change); }
  std::optional<core::Status> write_if_idle(const crypto::Change& change) override {
    return records_.apply(change);
  }
  void write_async(crypto::Change change, crypto::Committed committed) override;
  core::Status read(const std::function<core::Status(crypto::Connection&)>& body) override {
    return body(records_.connection());
  }
  std::uint64_t damage_suspected() const override { return 0; }
  std::uint64_t groups_committed() const override { return 0; }
  std::uint64_t wal_pages() const override { return 0; }
  core::Status rotate_key(const crypto::Secret&, const KeySwap&) override { return no_disk(); }
  core::Status copy_file(const std::function<core::Status(std::span<const std::byte>)>&) override {
    return no_disk();
  }
  core::Result<std::uint64_t> return_free_pages(std::uint64_t) override { return no_disk(); }
  core::Result<bool> truncate_wal() override { return no_disk(); }

 private:
  static core::Error no_disk() { return {core::Code::internal, "there is no disk here"}; }
  void commit(const crypto::Change& change, const crypto::Committed& committed);
  /// A mutation's: the cursor is committed first, what it covers later.
  bool commit_cursor_alone(const crypto::Change& change);

  MemoryRecords& records_;
  std::shared_ptr<Life> life_;
  VirtualTime& time_;
  Chance& chance_;
  const core::Clock& clock_;
};

}  // namespace gateway::sim
