// The seam to the file system: every durable byte the gateway writes outside SQLite goes through
// here, so that a test can drop or tear what was not synced. Paths are absolute. Files are made
// 0600, folders 0700.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace gateway::core {

/// An open file, for one thread at a time. Closing happens in the destructor and promises nothing
/// about durability.
class File {
 public:
  virtual ~File() = default;
  /// Appends all bytes or fails; Code::no_space when the disk or quota is full.
  virtual Status append(std::span<const std::byte> bytes) = 0;
  /// Overwrites in place (headers).
  virtual Status write_at(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// Reads up to bytes.size() at offset; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) = 0;
  virtual Result<std::uint64_t> size() = 0;
  /// Content and size are on stable storage when this returns (fdatasync).
  virtual Status sync() = 0;
  /// Hint: begin writing what was appended so far, without waiting; keeps the final sync short.
  virtual void start_writeback() = 0;
  /// Says that what was synced will not be read again soon: its memory is better used otherwise.
  /// Only a hint.
  virtual void release_cached() = 0;
};

class Files {
 public:
  virtual ~Files() = default;
  virtual Result<std::unique_ptr<File>> create(
      const std::string& path) = 0;  // Code::exists if it does
  virtual Result<std::unique_ptr<File>> open_read(const std::string& path) = 0;
  virtual Result<std::unique_ptr<File>> open_write(const std::string& path) = 0;  // must exist
  virtual Status make_folder(const std::string& path) = 0;  // with parents; fine if there
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;  // a file, or an empty folder
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;  // names, unsorted
  virtual Result<bool> exists(const std::string& path) = 0;
  /// Renames, creations and removals in the folder are on stable storage when this returns.
  virtual Status sync_folder(const std::string& path) = 0;
  /// Bytes an unprivileged writer may still use on the file system of `path`.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  /// The name under which the database library reaches the same disk; null: as it does by itself.
  virtual const char* database_vfs() const { return nullptr; }
};

/// The real file system. Thread-safe.
Files& system_files();

/// Small files (keyring, identity): written beside, synced, renamed over, folder synced.
Status write_file_durably(Files& files, const std::string& path, std::string_view content);
/// What write_file_durably() left in the folder when the power went. Nobody writes there meanwhile.
Status remove_unfinished_files(Files& files, const std::string& folder);
Result<std::string> read_whole_file(Files& files, const std::string& path, std::size_t size_max);

}  // namespace gateway::core
