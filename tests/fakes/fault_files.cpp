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

class FaultFiles::OpenFile final : public FaultFile {
 public:
  OpenFile(FaultFiles& files, NodePtr node)
      : files_(files), node_(std::move(node)), life_(files.life_) {}

  core::Status append(std::span<const std::byte> bytes) override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    return files_.write(*node_, {node_->content.size(), text(bytes), false});
  }
  core::Status write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    return files_.write(*node_, {offset, text(bytes), false});
  }
  core::Status truncate(std::uint64_t size) override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    return files_.write(*node_, {size, {}, true});
  }
  core::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    std::lock_guard lock(files_.mutex_);
    GW_CHECK(alive());
    GW_CHECK(files_.count_reading("read"));
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
    return files_.sync(*node_);
  }
  void start_writeback() override {}
  void release_cached() override {}

 private:
  static std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  core::Status alive() const {
    if (life_ == files_.life_) return {};
    return core::Error(core::Code::io, "the file was opened before the crash");
  }

  FaultFiles& files_;
  NodePtr node_;
  std::uint64_t life_;
};

FaultFiles::FaultFiles(const DiskImage& image) { load(image); }

void FaultFiles::load(const DiskImage& image) {
  now_.clear();
  unsynced_names_.clear();
  for (const std::string& folder : image.folders) {
    now_[folder] = std::make_shared<Node>(Node{true, {}, {}, {}});
  }
  for (const auto& [path, content] : image.files) {
    now_[path] = std::make_shared<Node>(Node{false, content, content, {}});
  }
  durable_ = now_;
}

std::uint64_t FaultFiles::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

void FaultFiles::fail_operation(std::uint64_t number, core::Code code) {
  std::lock_guard lock(mutex_);
  fail_at_ = operations_ + number;
  fail_code_ = code;
  failed_ = false;
}

void FaultFiles::fail_reading(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  fail_reading_at_ = readings_ + number;
  failed_ = false;
}

std::uint64_t FaultFiles::readings() const {
  std::lock_guard lock(mutex_);
  return readings_;
}

core::Status FaultFiles::count_reading(std::string_view what) {
  if (++readings_ != fail_reading_at_) return {};
  failed_ = true;
  return core::Error(core::Code::io, std::string(what) + ": an injected failure of a read");
}

void FaultFiles::fill_disk_at_operation(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  full_at_ = operations_ + number;
  failed_ = false;
}

void FaultFiles::empty_disk() {
  std::lock_guard lock(mutex_);
  full_at_ = 0;
}

void FaultFiles::crash_at_operation(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  crash_at_ = operations_ + number;
}

bool FaultFiles::crashed() const {
  std::lock_guard lock(mutex_);
  return crashed_;
}

bool FaultFiles::failed() const {
  std::lock_guard lock(mutex_);
  return failed_;
}

void FaultFiles::set_free_bytes(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  free_bytes_ = bytes;
}

void FaultFiles::watch(Watcher watcher) {
  std::lock_guard lock(mutex_);
  watcher_ = std::move(watcher);
}

core::Status FaultFiles::count_operation(Needs needs) {
  ++operations_;
  if (watcher_ && !crashed_) {
    watcher_(operations_, [this](Unsynced unsynced) { return left_by_power_cut(unsynced); });
  }
  if (operations_ == crash_at_) crashed_ = true;
  if (crashed_) return core::Error(core::Code::io, "the power is gone");
  if (operations_ == fail_at_) {
    failed_ = true;
    return core::Error(fail_code_, "an injected failure");
  }
  if (full_at_ != 0 && operations_ >= full_at_ && needs == Needs::space) {
    failed_ = true;
    return core::Error(core::Code::no_space, "the injected disk is full");
  }
  return {};
}

void FaultFiles::apply(std::string& content, const Write& write) {
  if (write.cut) {
    content.resize(write.offset);
    return;
  }
  if (content.size() < write.offset + write.bytes.size()) {
    content.resize(write.offset + write.bytes.size());
  }
  content.replace(write.offset, write.bytes.size(), write.bytes);
}

core::Status FaultFiles::write(Node& node, Write write) {
  const bool grows = !write.cut && write.offset + write.bytes.size() > node.content.size();
  auto counted = count_operation(grows ? Needs::space : Needs::nothing);
  if (!counted.ok()) {
    if (crashed_ || write.cut || counted.error().code() != core::Code::no_space) return counted;
    write.bytes.resize(write.bytes.size() / 2);
  }
  apply(node.content, write);
  node.unsynced.push_back(std::move(write));
  return counted;
}

core::Status FaultFiles::sync(Node& node) {
  auto counted = count_operation(Needs::nothing);
  if (counted.ok()) {
    for (const Write& write : node.unsynced) apply(node.synced, write);
  }
  if (!crashed_) node.unsynced.clear();
  return counted;
}

std::string FaultFiles::content_after(const Node& node, Unsynced unsynced) {
  std::string content = node.synced;
  if (unsynced == Unsynced::lost) return content;
  for (std::size_t i = 0; i < node.unsynced.size(); ++i) {
    Write write = node.unsynced[i];
    const bool last = i + 1 == node.unsynced.size();
    if (unsynced == Unsynced::torn && !last && i % 2 == 1) continue;
    if (unsynced == Unsynced::torn && last) {
      if (write.cut) continue;
      write.bytes.resize(write.bytes.size() / 2);
    }
    apply(content, write);
  }
  return content;
}

DiskImage FaultFiles::after_power_cut(Unsynced unsynced) const {
  std::lock_guard lock(mutex_);
  return left_by_power_cut(unsynced);
}

DiskImage FaultFiles::left_by_power_cut(Unsynced unsynced) const {
  std::size_t kept = 0;
  if (unsynced == Unsynced::kept) kept = unsynced_names_.size();
  if (unsynced == Unsynced::torn) kept = unsynced_names_.size() / 2;
  Names names = durable_;
  for (auto change = unsynced_names_.begin(); kept > 0; ++change, --kept) {
    change_names(names, *change);
  }
  DiskImage image;
  for (const auto& [path, node] : names) {
    if (node->folder) {
      image.folders.insert(path);
    } else {
      image.files.emplace(path, content_after(*node, unsynced));
    }
  }
  return image;
}

void FaultFiles::restart(Unsynced unsynced) {
  std::lock_guard lock(mutex_);
  crashed_ = false;
  crash_at_ = 0;
  fail_at_ = 0;
  full_at_ = 0;
  ++life_;
  load(left_by_power_cut(unsynced));
}

void FaultFiles::change_names(Names& names, const NameChange& change) {
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
  node->unsynced.clear();
}

DiskImage FaultFiles::image() const {
  std::lock_guard lock(mutex_);
  DiskImage image;
  for (const auto& [path, node] : now_) {
    if (node->folder) {
      image.folders.insert(path);
    } else {
      image.files.emplace(path, node->content);
    }
  }
  return image;
}

const char* FaultFiles::database_vfs() const {
  std::lock_guard lock(mutex_);
  return database_vfs_.empty() ? nullptr : database_vfs_.c_str();
}

void FaultFiles::set_database_vfs(std::string name) {
  std::lock_guard lock(mutex_);
  database_vfs_ = std::move(name);
}

core::Result<std::unique_ptr<FaultFile>> FaultFiles::create_cuttable(const std::string& path) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation(Needs::space));
  if (now_.contains(path)) return core::Error(core::Code::exists, core::cat(path, " exists"));
  auto folder = now_.find(folder_of(path));
  if (folder == now_.end() || !folder->second->folder) return missing(folder_of(path));
  auto node = std::make_shared<Node>();
  unsynced_names_.push_back({"", path, node});
  change_names(now_, unsynced_names_.back());
  return std::unique_ptr<FaultFile>(std::make_unique<OpenFile>(*this, node));
}

core::Result<std::unique_ptr<core::File>> FaultFiles::create(const std::string& path) {
  GW_TRY(auto file, create_cuttable(path));
  return std::unique_ptr<core::File>(std::move(file));
}

core::Result<std::unique_ptr<FaultFile>> FaultFiles::open_existing(const std::string& path) {
  std::lock_guard lock(mutex_);
  auto found = now_.find(path);
  if (found == now_.end() || found->second->folder) return missing(path);
  return std::unique_ptr<FaultFile>(std::make_unique<OpenFile>(*this, found->second));
}

core::Result<std::unique_ptr<FaultFile>> FaultFiles::open_cuttable(const std::string& path) {
  return open_existing(path);
}

core::Result<std::unique_ptr<core::File>> FaultFiles::open_read(const std::string& path) {
  {
    std::lock_guard lock(mutex_);
    GW_CHECK(count_reading(path));
  }
  GW_TRY(auto file, open_existing(path));
  return std::unique_ptr<core::File>(std::move(file));
}

core::Result<std::unique_ptr<core::File>> FaultFiles::open_write(const std::string& path) {
  GW_TRY(auto file, open_existing(path));
  return std::unique_ptr<core::File>(std::move(file));
}

core::Status FaultFiles::make_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation(Needs::space));
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
  GW_CHECK(count_operation(Needs::nothing));
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
  GW_CHECK(count_operation(Needs::nothing));
  auto found = now_.find(path);
  if (found == now_.end()) return missing(path);
  unsynced_names_.push_back({path, "", found->second});
  now_.erase(found);
  return {};
}

core::Result<std::vector<std::string>> FaultFiles::list(const std::string& folder) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_reading(folder));
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
  GW_CHECK(count_reading(path));
  return now_.contains(path);
}

core::Status FaultFiles::sync_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  GW_CHECK(count_operation(Needs::nothing));
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
