#include "tests/fakes/fault_files.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace gateway::fakes {
namespace {

std::string folder_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

core::Error missing(const std::string& path) {
  return {core::Code::not_found, core::cat(path, " is not there")};
}

}  // namespace

class FaultFiles::OpenFile final : public core::File {
 public:
  OpenFile(FaultFiles& files, NodePtr node)
      : files_(files), node_(std::move(node)), life_(files.life_) {}

  core::Status append(std::span<const std::byte> bytes) override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    GW_CHECK(files_.count_operation());
    node_->content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  core::Status write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    GW_CHECK(files_.count_operation());
    if (node_->content.size() < offset + bytes.size()) node_->content.resize(offset + bytes.size());
    node_->content.replace(offset, bytes.size(), reinterpret_cast<const char*>(bytes.data()),
                           bytes.size());
    return {};
  }
  core::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    if (offset >= node_->content.size()) return std::size_t{0};
    const auto count = std::min<std::size_t>(bytes.size(), node_->content.size() - offset);
    node_->content.copy(reinterpret_cast<char*>(bytes.data()), count, offset);
    return count;
  }
  core::Result<std::uint64_t> size() override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    return std::uint64_t{node_->content.size()};
  }
  core::Status sync() override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    GW_CHECK(files_.count_operation());
    node_->synced = node_->content;
    return {};
  }
  void start_writeback() override {}
  void release_cached() override {}

 private:
  core::Status alive() const {
    if (life_ == files_.life_) return {};
    return core::Error(core::Code::io, "the file was opened before the crash");
  }

  FaultFiles& files_;
  NodePtr node_;
  std::uint64_t life_;
};

std::uint64_t FaultFiles::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

void FaultFiles::fail_operation(std::uint64_t number, core::Code code) {
  std::lock_guard lock(mutex_);
  fail_at_ = operations_ + number;
  fail_code_ = code;
}

void FaultFiles::crash_at_operation(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  crash_at_ = operations_ + number;
}

bool FaultFiles::crashed() const {
  std::lock_guard lock(mutex_);
  return crashed_;
}

void FaultFiles::set_free_bytes(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  free_bytes_ = bytes;
}

core::Status FaultFiles::count_operation() {
  ++operations_;
  if (operations_ == crash_at_) crashed_ = true;
  if (crashed_) return core::Error(core::Code::io, "the power is gone");
  if (operations_ == fail_at_) return core::Error(fail_code_, "an injected failure");
  return {};
}

void FaultFiles::restart(Unsynced unsynced) {
  std::lock_guard lock(mutex_);
  crashed_ = false;
  crash_at_ = 0;
  fail_at_ = 0;
  ++life_;
  std::size_t kept = 0;
  if (unsynced == Unsynced::kept) kept = unsynced_names_.size();
  if (unsynced == Unsynced::torn) kept = unsynced_names_.size() / 2;
  for (auto change = unsynced_names_.begin(); kept > 0; ++change, --kept) {
    change_names(durable_, *change);
  }
  unsynced_names_.clear();
  now_ = durable_;
  for (auto& [path, node] : now_) {
    if (unsynced == Unsynced::torn) {
      const std::size_t common = std::min(node->synced.size(), node->content.size());
      node->synced = node->content.substr(0, common + (node->content.size() - common) / 2);
    } else if (unsynced == Unsynced::kept) {
      node->synced = node->content;
    }
    node->content = node->synced;
  }
}

void FaultFiles::change_names(Names& names, const NameChange& change) const {
  if (!change.from.empty()) names.erase(change.from);
  if (!change.to.empty()) names[change.to] = change.node;
}

void FaultFiles::make_durable(const std::set<NodePtr>& nodes) {
  for (auto change = unsynced_names_.begin(); change != unsynced_names_.end();) {
    if (nodes.contains(change->node)) {
      change_names(durable_, *change);
      change = unsynced_names_.erase(change);
    } else {
      ++change;
    }
  }
}

std::set<std::string> FaultFiles::paths() const {
  std::lock_guard lock(mutex_);
  std::set<std::string> paths;
  for (const auto& [path, node] : now_) {
    if (!node->folder) paths.insert(path);
  }
  return paths;
}

std::string FaultFiles::content(const std::string& path) const {
  std::lock_guard lock(mutex_);
  return now_.at(path)->content;
}

void FaultFiles::set_content(const std::string& path, std::string content) {
  std::lock_guard lock(mutex_);
  NodePtr node = now_.at(path);
  node->content = std::move(content);
  node->synced = node->content;
}

core::Result<std::unique_ptr<core::File>> FaultFiles::create(const std::string& path) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation());
  if (now_.contains(path)) return core::Error(core::Code::exists, core::cat(path, " exists"));
  auto folder = now_.find(folder_of(path));
  if (folder == now_.end() || !folder->second->folder) return missing(folder_of(path));
  auto node = std::make_shared<Node>();
  unsynced_names_.push_back({"", path, node});
  change_names(now_, unsynced_names_.back());
  return std::unique_ptr<core::File>(std::make_unique<OpenFile>(*this, node));
}

core::Result<std::unique_ptr<core::File>> FaultFiles::open_existing(const std::string& path) {
  std::lock_guard lock(mutex_);
  auto found = now_.find(path);
  if (found == now_.end() || found->second->folder) return missing(path);
  return std::unique_ptr<core::File>(std::make_unique<OpenFile>(*this, found->second));
}

core::Result<std::unique_ptr<core::File>> FaultFiles::open_read(const std::string& path) {
  return open_existing(path);
}

core::Result<std::unique_ptr<core::File>> FaultFiles::open_write(const std::string& path) {
  return open_existing(path);
}

core::Status FaultFiles::make_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation());
  for (std::size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (at != std::string::npos) ++at;
    if (now_.contains(part)) continue;
    auto node = std::make_shared<Node>();
    node->folder = true;
    unsynced_names_.push_back({"", part, node});
    change_names(now_, unsynced_names_.back());
  }
  return {};
}

core::Status FaultFiles::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation());
  auto found = now_.find(from);
  if (found == now_.end()) return missing(from);
  auto folder = now_.find(folder_of(to));
  if (folder == now_.end() || !folder->second->folder) return missing(folder_of(to));
  unsynced_names_.push_back({from, to, found->second});
  change_names(now_, NameChange(unsynced_names_.back()));
  return {};
}

core::Status FaultFiles::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation());
  auto found = now_.find(path);
  if (found == now_.end()) return missing(path);
  unsynced_names_.push_back({path, "", found->second});
  now_.erase(found);
  return {};
}

core::Result<std::vector<std::string>> FaultFiles::list(const std::string& folder) {
  std::lock_guard lock(mutex_);
  auto found = now_.find(folder);
  if (found == now_.end() || !found->second->folder) return missing(folder);
  std::vector<std::string> names;
  for (const auto& [path, node] : now_) {
    if (folder_of(path) == folder) names.push_back(path.substr(folder.size() + 1));
  }
  return names;
}

core::Result<bool> FaultFiles::exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  return now_.contains(path);
}

core::Status FaultFiles::sync_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation());
  if (path != "/" && !now_.contains(path)) return missing(path);
  const std::string folder = path == "/" ? "" : path;
  std::set<NodePtr> nodes;
  for (const NameChange& change : unsynced_names_) {
    if ((!change.from.empty() && folder_of(change.from) == folder) ||
        (!change.to.empty() && folder_of(change.to) == folder)) {
      nodes.insert(change.node);
    }
  }
  make_durable(nodes);
  return {};
}

core::Result<std::uint64_t> FaultFiles::free_bytes(const std::string&) {
  std::lock_guard lock(mutex_);
  return free_bytes_;
}

}  // namespace gateway::fakes
