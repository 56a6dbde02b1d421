// A file system in memory that can fail, and that forgets like a real one: what was not synced is
// lost, kept or torn when the power goes. File contents become durable by File::sync(), names by
// sync_folder() or by a sync of another change to the same file's name. A rename is atomic, as
// journaling file systems make it: after a crash the file has the old name or the new one.
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

#include "core/files.h"

namespace gateway::fakes {

/// What a crash leaves of the bytes and names that were never synced.
enum class Unsynced { lost, kept, torn };

/// Thread-safe as a whole; each File is for one thread at a time.
class FaultFiles final : public core::Files {
 public:
  /// Operations that change or sync something, counted from 1. Reading is not counted.
  std::uint64_t operations() const;
  /// The `number`th operation from now fails with `code` and does nothing; later ones work again.
  void fail_operation(std::uint64_t number, core::Code code);
  /// The power goes at the `number`th operation from now: it and all later ones fail with Code::io
  /// until restart().
  void crash_at_operation(std::uint64_t number);
  bool crashed() const;
  /// The machine comes back. Files opened before are dead.
  void restart(Unsynced unsynced);
  void set_free_bytes(std::uint64_t bytes);

  /// Test access to what is there now: whole paths, and a file's bytes to read or tamper with.
  std::set<std::string> paths() const;
  std::string content(const std::string& path) const;
  void set_content(const std::string& path, std::string content);

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

 private:
  struct Node {
    bool folder = false;
    std::string content;
    std::string synced;
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
  class OpenFile;

  core::Status count_operation();
  core::Result<std::unique_ptr<core::File>> open_existing(const std::string& path);
  void change_names(Names& names, const NameChange& change) const;
  void make_durable(const std::set<NodePtr>& nodes);

  mutable std::mutex mutex_;
  Names now_;
  Names durable_;
  std::list<NameChange> unsynced_names_;
  std::uint64_t operations_ = 0;
  std::uint64_t fail_at_ = 0;
  std::uint64_t crash_at_ = 0;
  core::Code fail_code_ = core::Code::io;
  bool crashed_ = false;
  std::uint64_t life_ = 0;  // restarts so far: tells files of an earlier life
  std::uint64_t free_bytes_ = UINT64_C(1) << 40;
};

}  // namespace gateway::fakes
