#include "adapters/frame/drop_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/text.h"

namespace gateway::adapters::frame {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr std::size_t kNamesMax = 1'000;
constexpr int kSameNameMax = 1'000;
constexpr mode_t kFolderMode = 0770;  // the device's group sees what became of its files
constexpr mode_t kFileMode = 0640;

Error os_error(std::string_view what, const std::string& path) {
  const int code = errno;
  const bool is_full = code == ENOSPC || code == EDQUOT;
  return {is_full ? Code::no_space : Code::io,
          cat(path, ": cannot ", what, ": ", std::generic_category().message(code))};
}

FileStamp stamp_of(const struct stat& facts) {
  return {facts.st_ino, static_cast<std::uint64_t>(facts.st_size),
          facts.st_mtim.tv_sec * 1'000'000'000LL + facts.st_mtim.tv_nsec};
}

/// The folder's files, without what is under way by its name.
core::Result<std::map<std::string, FileStamp>> files_in(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) return os_error("list it", path);
  std::map<std::string, FileStamp> found;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (is_unfinished_name(name) || found.size() == kNamesMax) continue;
    struct stat facts {};
    if (::fstatat(::dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(facts.st_mode)) found.emplace(name, stamp_of(facts));
  }
  ::closedir(folder);
  return found;
}

/// Never over another file: "x.pdf" becomes "x-2.pdf".
core::Status move_beside(const std::string& from, const std::string& folder,
                         const std::string& name, std::string& moved_to) {
  const auto dot = name.rfind('.');
  const std::string stem = name.substr(0, dot);
  const std::string end = dot == name.npos ? "" : name.substr(dot);
  for (int number = 1; number <= kSameNameMax; ++number) {
    moved_to = cat(folder, '/', number == 1 ? name : cat(stem, '-', number, end));
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, moved_to.c_str(), RENAME_NOREPLACE) == 0)
      return {};
    // Some file systems (NFS, CIFS) know no such move.
    struct stat facts {};
    const bool is_free = ::lstat(moved_to.c_str(), &facts) != 0;
    if (is_free && ::rename(from.c_str(), moved_to.c_str()) == 0) return {};
    if (is_free) break;
  }
  return os_error("move it", from);
}

core::Status write_note(const std::string& path, std::string_view text) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (file < 0) return os_error("write it", path);
  const bool written = ::write(file, text.data(), text.size()) == std::ssize(text);
  ::close(file);
  if (!written) return os_error("write it", path);
  return {};
}

}  // namespace

ClaimedFile::~ClaimedFile() { ::close(descriptor_); }

core::Result<std::string> ClaimedFile::read(std::uint64_t offset, std::size_t size) const {
  std::string bytes(size, '\0');
  const ssize_t got = ::pread(descriptor_, bytes.data(), size, static_cast<off_t>(offset));
  if (got < 0) return os_error("read it", path_);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

core::Result<std::string> ClaimedFile::read_all() const {
  std::string all;
  while (all.size() < stamp_.size) {
    GW_TRY(const std::string more,
           read(all.size(), static_cast<std::size_t>(stamp_.size) - all.size()));
    if (more.empty()) break;
    all += more;
  }
  return all;
}

bool ClaimedFile::is_unchanged() const {
  struct stat facts {};
  return ::fstat(descriptor_, &facts) == 0 && stamp_of(facts) == stamp_;
}

DropFolder::DropFolder(std::string path, core::Milliseconds quiet)
    : path_(std::move(path)), settling_(quiet) {}

DropFolder::~DropFolder() {
  if (events_ >= 0) ::close(events_);
}

core::Result<std::unique_ptr<DropFolder>> DropFolder::open(const std::string& path,
                                                           core::Milliseconds quiet) {
  std::unique_ptr<DropFolder> folder(new DropFolder(path, quiet));
  GW_CHECK(folder->prepare());
  folder->watch();
  return folder;
}

core::Status DropFolder::prepare() {
  for (const char* name : {"/taking", "/done", "/failed"}) {
    const std::string path = path_ + name;
    if (::mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST)
      return os_error("make it", path);
  }
  GW_TRY(const auto left, files_in(path_ + "/taking"));
  for (const auto& [name, stamp] : left) {
    std::string ignored;
    GW_CHECK(move_beside(cat(path_, "/taking/", name), path_, name, ignored));
  }
  return {};
}

void DropFolder::watch() {
  events_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (events_ < 0) return;
  constexpr std::uint32_t kKinds =
      IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR;
  if (::inotify_add_watch(events_, path_.c_str(), kKinds) >= 0) return;
  ::close(events_);
  events_ = -1;
}

void DropFolder::take_events() {
  if (events_ < 0) return;
  alignas(inotify_event) std::array<char, 16'384> buffer{};
  while (true) {
    const ssize_t got = ::read(events_, buffer.data(), buffer.size());
    if (got <= 0) return;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) settling_.lost_track();
      if (event->len == 0 || (event->mask & IN_ISDIR) != 0) continue;
      const std::string name = event->name;
      if ((event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
        settling_.closed(name);
      } else if ((event->mask & IN_MODIFY) != 0) {
        settling_.wrote(name);  // a new name alone may be a link, which nobody closes
      }
    }
  }
}

core::Result<std::vector<RestingFile>> DropFolder::look(core::Monotonic now) {
  take_events();
  GW_TRY(const auto there, files_in(path_));
  return settling_.look(there, now);
}

core::Result<std::unique_ptr<ClaimedFile>> DropFolder::claim(const RestingFile& file) {
  std::string path;
  GW_CHECK(move_beside(cat(path_, '/', file.name), path_ + "/taking", file.name, path));
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) {
    const Error why = os_error("read it", path);
    std::string ignored;
    GW_CHECK(move_beside(path, path_, file.name, ignored));
    return why;
  }
  auto claimed = std::make_unique<ClaimedFile>(file.name, path, descriptor, file.stamp);
  if (claimed->is_unchanged()) return claimed;
  GW_CHECK(put_back(*claimed));
  return Error(Code::not_found, "the file was changed");
}

core::Status DropFolder::finish(const ClaimedFile& file, bool keep) {
  if (!file.is_unchanged()) return put_back(file);  // what was written since is not with us
  std::string ignored;
  if (keep) return move_beside(file.path(), path_ + "/done", file.name(), ignored);
  if (::unlink(file.path().c_str()) != 0) return os_error("remove it", file.path());
  return {};
}

core::Status DropFolder::fail(const ClaimedFile& file, std::string_view reason) {
  std::string moved_to;
  GW_CHECK(move_beside(file.path(), path_ + "/failed", file.name(), moved_to));
  return write_note(moved_to + ".reason.txt", cat(reason, "\n"));
}

core::Status DropFolder::put_back(const ClaimedFile& file) {
  std::string ignored;
  return move_beside(file.path(), path_, file.name(), ignored);
}

core::Status DropFolder::note(const std::string& name, std::string_view text) {
  return write_note(cat(path_, "/failed/", name), cat(text, "\n"));
}

core::Status DropFolder::expire_done(core::Milliseconds age, core::Wall now) {
  const std::string folder = path_ + "/done";
  GW_TRY(const auto there, files_in(folder));
  const auto before =
      std::chrono::duration_cast<std::chrono::nanoseconds>((now - age).time_since_epoch()).count();
  for (const auto& [name, stamp] : there) {
    const std::string path = cat(folder, '/', name);
    struct stat facts {};
    // Counted from the move, not from when the device wrote it.
    if (::lstat(path.c_str(), &facts) != 0) continue;
    const std::int64_t moved_ns = facts.st_ctim.tv_sec * 1'000'000'000LL + facts.st_ctim.tv_nsec;
    if (moved_ns < before && ::unlink(path.c_str()) != 0) return os_error("remove it", path);
  }
  return {};
}

}  // namespace gateway::adapters::frame
