#include "crypto/object_folder.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr int kFanOut = 256;
constexpr std::uint64_t kPageBytes = 4096;

std::string fan_name(int number) { return core::to_hex(std::string(1, static_cast<char>(number))); }

core::Status make_missing_folders(core::Files& files, const std::string& folder,
                                  const std::string& incoming) {
  GW_CHECK(files.make_folder(incoming));
  GW_TRY(auto names, files.list(folder));
  std::set<std::string> there(names.begin(), names.end());
  bool missing = false;
  for (int i = 0; i < kFanOut; ++i) {
    std::string name = fan_name(i);
    if (there.contains(name)) continue;
    GW_CHECK(files.make_folder(core::cat(folder, '/', name)));
    missing = true;
  }
  if (missing) {
    GW_CHECK(files.sync_folder(folder));
    const auto slash = folder.find_last_of('/');
    if (slash != std::string::npos && slash > 0)
      GW_CHECK(files.sync_folder(folder.substr(0, slash)));
  }
  return {};
}

core::Status overwrite(core::File& file, std::uint64_t bytes) {
  const std::string noise = core::random_bytes(static_cast<std::size_t>(bytes));
  GW_CHECK(file.write_at(0, as_octets(noise)));
  return file.sync();
}

}  // namespace

ObjectFolder::ObjectFolder(core::Files& files, std::string folder, std::uint64_t reserve_bytes)
    : files_(files),
      folder_(std::move(folder)),
      incoming_(folder_ + "/incoming"),
      reserve_bytes_(reserve_bytes) {}

core::Result<std::unique_ptr<ObjectFolder>> ObjectFolder::open(core::Files& files,
                                                               std::string folder,
                                                               std::uint64_t reserve_bytes) {
  std::unique_ptr<ObjectFolder> made(new ObjectFolder(files, std::move(folder), reserve_bytes));
  GW_CHECK(make_missing_folders(files, made->folder_, made->incoming_));
  return made;
}

ObjectFolder::~ObjectFolder() {
  std::size_t left = 0;
  for (Entry& entry : pool_) {
    entry.file.reset();
    if (!remove_incoming(entry.id).ok()) ++left;
  }
  if (left > 0) {
    core::log_warn("crypto", core::cat(left, " unused object names stay until the next start"));
  }
}

core::Result<ObjectFolder::Entry> ObjectFolder::take_empty() {
  GW_CHECK(check_space(0));
  std::lock_guard lock(mutex_);
  if (pool_.empty()) GW_CHECK(refill());
  Entry entry = std::move(pool_.back());
  pool_.pop_back();
  return entry;
}

core::Status ObjectFolder::refill() {
  std::vector<Entry> fresh;
  core::Status made;
  while (made.ok() && fresh.size() < kPoolSize) {
    std::string id = core::new_uuid();
    auto file = files_.create(incoming_path(id));
    if (file.ok()) {
      fresh.push_back({std::move(id), std::move(*file)});
    } else {
      made = std::move(file).error();
    }
  }
  if (made.ok()) made = files_.sync_folder(incoming_);
  if (made.ok()) {
    pool_ = std::move(fresh);
    return made;
  }
  for (Entry& entry : fresh) {
    entry.file.reset();
    // What cannot be removed now is removed by the next start's sweep.
    (void)remove_incoming(entry.id);
  }
  return made;
}

core::Status ObjectFolder::check_space(std::uint64_t bytes) {
  GW_TRY(std::uint64_t free, files_.free_bytes(incoming_));
  if (free >= reserve_bytes_ && free - reserve_bytes_ >= bytes) return {};
  return core::Error(
      core::Code::no_space,
      core::cat("the disk of ", folder_, " has ", free >> 20, " MiB left and must keep ",
                reserve_bytes_ >> 20, " MiB; free space or lower the reserve"));
}

core::Status ObjectFolder::remove_incoming(const std::string& id) {
  return files_.remove(incoming_path(id));
}

core::Status ObjectFolder::settle(const std::string& id) {
  return files_.rename(incoming_path(id), settled_path(id));
}

core::Result<std::vector<std::string>> ObjectFolder::list_incoming() {
  return files_.list(incoming_);
}

core::Result<std::vector<std::string>> ObjectFolder::list_all() {
  std::vector<std::string> names;
  GW_TRY(const auto arrived, list_incoming());
  for (const std::string& name : arrived) {
    GW_TRY(const auto file, files_.open_read(incoming_path(name)));
    GW_TRY(const std::uint64_t size, file->size());
    if (size > 0) names.push_back(name);
  }
  for (int i = 0; i < kFanOut; ++i) {
    GW_TRY(auto settled, files_.list(core::cat(folder_, '/', fan_name(i))));
    names.insert(names.end(), std::make_move_iterator(settled.begin()),
                 std::make_move_iterator(settled.end()));
  }
  return names;
}

core::Result<std::string> ObjectFolder::find(const std::string& id) {
  // Settled, incoming, settled: whoever looks while it is being moved finds it on the third look.
  for (const std::string& path : {settled_path(id), incoming_path(id), settled_path(id)}) {
    GW_TRY(bool there, files_.exists(path));
    if (there) return path;
  }
  return core::Error(core::Code::not_found, core::cat("object ", id, " is not here"));
}

core::Result<std::unique_ptr<core::File>> ObjectFolder::open_read(const std::string& id) {
  for (int attempt = 0;; ++attempt) {
    GW_TRY(std::string path, find(id));
    auto file = files_.open_read(path);
    if (file.ok() || file.error().code() != core::Code::not_found || attempt == 1) return file;
  }
}

core::Result<std::unique_ptr<core::File>> ObjectFolder::open_write(const std::string& id) {
  for (int attempt = 0;; ++attempt) {
    GW_TRY(std::string path, find(id));
    auto file = files_.open_write(path);
    if (file.ok() || file.error().code() != core::Code::not_found || attempt == 1) return file;
  }
}

core::Status ObjectFolder::for_each(
    const std::function<core::Status(const std::string& id)>& visit) {
  // Objects only ever move from `incoming/` to their place: listed in this order, none slips by.
  GW_TRY(const auto incoming, files_.list(incoming_));
  for (const std::string& name : incoming) {
    if (core::is_uuid(name)) GW_CHECK(visit(name));
  }
  const std::set<std::string> visited(incoming.begin(), incoming.end());
  for (int i = 0; i < kFanOut; ++i) {
    GW_TRY(const auto names, files_.list(core::cat(folder_, '/', fan_name(i))));
    for (const std::string& name : names) {
      if (core::is_uuid(name) && !visited.contains(name)) GW_CHECK(visit(name));
    }
  }
  return {};
}

core::Status ObjectFolder::shred(const std::string& id, std::size_t header_bytes) {
  auto found = find(id);
  if (!found.ok()) {
    // It may have been removed before and the removal not synced: it must not come back once its
    // row is forgotten.
    if (found.error().code() == core::Code::not_found) {
      GW_CHECK(files_.sync_folder(settled_folder(id)));
    }
    return std::move(found).error();
  }
  const std::string path = std::move(*found);
  {
    GW_TRY(auto file, files_.open_write(path));
    GW_TRY(std::uint64_t size, file->size());
    auto destroyed = overwrite(*file, std::min<std::uint64_t>(size, header_bytes));
    // A part of a dead sector cannot be written, since the rest of it would have to be read; for
    // all of it the drive has a spare one.
    if (!destroyed.ok() && destroyed.error().code() == core::Code::io) {
      destroyed = overwrite(*file, kPageBytes);
    }
    GW_CHECK(std::move(destroyed));
  }
  GW_CHECK(files_.remove(path));
  // Nothing ever looks for leftovers among the settled objects, so the removal itself must last.
  return files_.sync_folder(path.substr(0, path.find_last_of('/')));
}

std::string ObjectFolder::incoming_path(const std::string& id) const {
  return core::cat(incoming_, '/', id);
}

std::string ObjectFolder::settled_folder(const std::string& id) const {
  assert(id.size() == 36);
  return core::cat(folder_, '/', std::string_view(id).substr(34));
}

std::string ObjectFolder::settled_path(const std::string& id) const {
  return core::cat(settled_folder(id), '/', id);
}

}  // namespace gateway::crypto
