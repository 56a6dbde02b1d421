// Where object files lie: `<folder>/incoming/` until settled, then `<folder>/<the id's last two hex
// digits>/` (a UUIDv7's first digits are its time and would put months of objects into one folder).
// Also hands out names whose folder entry is already durable: a pool of empty files, made in one go
// and covered by one fsync of `incoming/`, spares each object a journal commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"

namespace gateway::crypto {

/// Thread-safe.
class ObjectFolder {
 public:
  struct Entry {
    std::string id;
    std::unique_ptr<core::File> file;
  };

  /// Makes the folders that are missing.
  static core::Result<std::unique_ptr<ObjectFolder>> open(core::Files& files, std::string folder,
                                                          std::uint64_t reserve_bytes);
  /// Removes the names nobody took.
  ~ObjectFolder();
  ObjectFolder(const ObjectFolder&) = delete;
  ObjectFolder& operator=(const ObjectFolder&) = delete;

  core::Result<Entry> take_empty();
  core::Result<std::unique_ptr<core::File>> open_read(const std::string& id);
  core::Result<std::unique_ptr<core::File>> open_write(const std::string& id);
  /// Every object that was here when it began, settled or not. One that is deleted meanwhile may be
  /// named; none that moves is missed.
  core::Status for_each(const std::function<core::Status(const std::string& id)>& visit);
  const std::string& path() const { return folder_; }
  /// Code::no_space when `bytes` more would leave less than the reserve.
  core::Status check_space(std::uint64_t bytes);
  core::Status remove_incoming(const std::string& id);
  core::Status settle(const std::string& id);
  /// Names in `incoming/`.
  core::Result<std::vector<std::string>> list_incoming();
  /// Names of all files but the empty ones in `incoming/`.
  core::Result<std::vector<std::string>> list_all();
  /// Destroys the first `header_bytes` of the object in place, durably, then removes it, durably.
  core::Status shred(const std::string& id, std::size_t header_bytes);

 private:
  static constexpr std::size_t kPoolSize = 16;

  ObjectFolder(core::Files& files, std::string folder, std::uint64_t reserve_bytes);
  core::Status refill();
  std::string incoming_path(const std::string& id) const;
  std::string settled_folder(const std::string& id) const;
  std::string settled_path(const std::string& id) const;
  core::Result<std::string> find(const std::string& id);

  core::Files& files_;
  const std::string folder_;
  const std::string incoming_;
  const std::uint64_t reserve_bytes_;
  std::mutex mutex_;
  std::vector<Entry> pool_;
};

}  // namespace gateway::crypto
