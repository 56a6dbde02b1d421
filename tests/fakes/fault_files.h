// A file system in memory that can fail, and that forgets like a real one: what was not synced is
// lost, kept or torn when the power goes. File contents become durable by File::sync(), names by
// sync_folder() or by a sync of another change to the same file's name. A rename is atomic, as
// journaling file systems make it: after a crash the file has the old name or the new one. A sync
// that failed has lost what it was to write: a later one succeeds and does not bring it back, as on
// Linux.
//
// With fault_vfs.h SQLCipher's files lie in it too: one count of operations, one power.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace gateway::fakes {

/// What a crash leaves of the bytes and names that were never synced. Torn: of a file's unsynced
/// writes every second one is missing and of the last one only half is there.
enum class Unsynced { lost, kept, torn };

/// What is on the disk when nothing runs.
struct DiskImage {
  std::set<std::string> folders;
  std::map<std::string, std::string> files;
};

/// An open file that can also be cut, as SQLite does.
class FaultFile : public core::File {
 public:
  virtual core::Status truncate(std::uint64_t size) = 0;
};

/// Thread-safe as a whole; each File is for one thread at a time.
class FaultFiles final : public core::Files {
 public:
  FaultFiles() = default;
  /// A machine that starts with this disk.
  explicit FaultFiles(const DiskImage& image);

  /// Operations that change or sync something, counted from 1. Reading is not counted.
  std::uint64_t operations() const;
  /// The `number`th operation from now fails with `code`; later ones work again. Of a write that
  /// fails for space half is written; what a failed sync was to write is lost.
  void fail_operation(std::uint64_t number, core::Code code);
  /// The `number`th reading from now (opening to read, reading, asking for presence or names) fails
  /// with Code::io; later ones work again. The size of an open file never does: the kernel knows
  /// it.
  void fail_reading(std::uint64_t number);
  std::uint64_t readings() const;
  /// From the `number`th operation on the disk is full: nothing is made or written until
  /// empty_disk(). What is there can be overwritten, synced, renamed and removed.
  void fill_disk_at_operation(std::uint64_t number);
  void empty_disk();
  /// The power goes at the `number`th operation from now: it and all later ones fail with Code::io
  /// until restart().
  void crash_at_operation(std::uint64_t number);
  bool crashed() const;
  /// True once something has failed by one of these.
  bool failed() const;
  /// The machine comes back. Files opened before are dead.
  void restart(Unsynced unsynced);
  void set_free_bytes(std::uint64_t bytes);

  /// What the disk would hold if the power went now.
  DiskImage after_power_cut(Unsynced unsynced) const;
  using AfterPowerCut = std::function<DiskImage(Unsynced)>;
  /// Called before each operation, while no other runs; must not touch these files.
  using Watcher = std::function<void(std::uint64_t operation, const AfterPowerCut&)>;
  void watch(Watcher watcher);

  /// Test access to what is there now: whole paths, and a file's bytes to read or tamper with.
  std::set<std::string> paths() const;
  std::string content(const std::string& path) const;
  void set_content(const std::string& path, std::string content);
  /// All of it, as if everything had been synced.
  DiskImage image() const;

  core::Result<std::unique_ptr<core::File>> create(const std::string& path) override;
  core::Result<std::unique_ptr<core::File>> open_read(const std::string& path) override;
  core::Result<std::unique_ptr<core::File>> open_write(const std::string& path) override;
  core::Status make_folder(const std::string& path) override;
  core::Status rename(const std::string& from, const std::string& to) override;
  core::Status remove(const std::string& path) override;
  core::Result<std::vector<std::string>> list(const std::string& folder) override;
  core::Result<bool> exists(const std::string& path) override;
  core::Status sync_folder(const std::string& path) override;
  core::Result<std::uint64_t> free_bytes(const std::string& path) override;
  const char* database_vfs() const override;

  /// For the VFS over these files.
  core::Result<std::unique_ptr<FaultFile>> create_cuttable(const std::string& path);
  core::Result<std::unique_ptr<FaultFile>> open_cuttable(const std::string& path);
  void set_database_vfs(std::string name);

 private:
  /// Bytes put at an offset, or the file cut there.
  struct Write {
    std::uint64_t offset = 0;
    std::string bytes;
    bool cut = false;
  };
  struct Node {
    bool folder = false;
    std::string content;
    std::string synced;
    std::vector<Write> unsynced;
  };
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;
  /// A change of names nobody has synced yet. `from` empty: made; `to` empty: removed; both:
  /// renamed.
  struct NameChange {
    std::string from;
    std::string to;
    NodePtr node;
  };
  enum class Needs { nothing, space };
  class OpenFile;

  core::Status count_operation(Needs needs);
  core::Status count_reading(std::string_view what);
  core::Result<std::unique_ptr<FaultFile>> open_existing(const std::string& path);
  core::Status write(Node& node, Write write);
  core::Status sync(Node& node);
  DiskImage left_by_power_cut(Unsynced unsynced) const;
  static std::string content_after(const Node& node, Unsynced unsynced);
  static void apply(std::string& content, const Write& write);
  static void change_names(Names& names, const NameChange& change);
  void make_durable(const std::set<NodePtr>& nodes);
  void load(const DiskImage& image);

  mutable std::mutex mutex_;
  Names now_;
  Names durable_;
  std::list<NameChange> unsynced_names_;
  std::uint64_t operations_ = 0;
  std::uint64_t fail_at_ = 0;
  std::uint64_t readings_ = 0;
  std::uint64_t fail_reading_at_ = 0;
  std::uint64_t full_at_ = 0;
  std::uint64_t crash_at_ = 0;
  core::Code fail_code_ = core::Code::io;
  bool crashed_ = false;
  bool failed_ = false;
  std::uint64_t life_ = 0;  // restarts so far: tells files of an earlier life
  std::uint64_t free_bytes_ = UINT64_C(1) << 40;
  Watcher watcher_;
  std::string database_vfs_;
};

}  // namespace gateway::fakes
