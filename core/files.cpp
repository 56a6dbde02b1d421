#include "core/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/text.h"

namespace gateway::core {
namespace {

constexpr std::string_view kUnfinished = ".new";

Error os_error(std::string_view what, const std::string& path, int number) {
  Code code = Code::io;
  if (number == ENOSPC || number == EDQUOT) code = Code::no_space;
  if (number == ENOENT) code = Code::not_found;
  if (number == EEXIST) code = Code::exists;
  return Error(code, cat(what, " ", path, ": ", std::generic_category().message(number)));
}

class OsFile final : public File {
 public:
  OsFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~OsFile() override { ::close(descriptor_); }

  Status append(std::span<const std::byte> bytes) override {
    GW_TRY(const std::uint64_t end, size());
    GW_CHECK(write_at(end, bytes));
    end_ = end + bytes.size();
    return {};
  }

  Status write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t put =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return os_error("write", path_, errno);
      offset += static_cast<std::uint64_t>(put);
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    end_ = std::max(end_, offset);
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    std::size_t total = 0;
    while (total < bytes.size()) {
      const ssize_t got = ::pread(descriptor_, bytes.data() + total, bytes.size() - total,
                                  static_cast<off_t>(offset + total));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return os_error("read", path_, errno);
      if (got == 0) break;
      total += static_cast<std::size_t>(got);
    }
    return total;
  }

  Result<std::uint64_t> size() override {
    if (end_ == kUnknown) {
      struct stat facts {};
      if (::fstat(descriptor_, &facts) != 0) return os_error("stat", path_, errno);
      end_ = static_cast<std::uint64_t>(facts.st_size);
    }
    return end_;
  }

  Status sync() override {
    if (::fdatasync(descriptor_) != 0) return os_error("fdatasync", path_, errno);
    return {};
  }

  void start_writeback() override {
    // Only a hint: a file system without it loses nothing but time.
    (void)::sync_file_range(descriptor_, 0, 0, SYNC_FILE_RANGE_WRITE);
  }

  void release_cached() override { (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED); }

 private:
  static constexpr std::uint64_t kUnknown = UINT64_MAX;
  int descriptor_;
  std::string path_;
  std::uint64_t end_ = kUnknown;
};

class OsFiles final : public Files {
 public:
  Result<std::unique_ptr<File>> create(const std::string& path) override {
    return open_with(path, O_RDWR | O_CREAT | O_EXCL, "create");
  }
  Result<std::unique_ptr<File>> open_read(const std::string& path) override {
    return open_with(path, O_RDONLY, "open");
  }
  Result<std::unique_ptr<File>> open_write(const std::string& path) override {
    return open_with(path, O_RDWR, "open");
  }

  Status make_folder(const std::string& path) override {
    for (std::size_t at = 1; at != std::string::npos;) {
      at = path.find('/', at);
      const std::string part = path.substr(0, at);
      if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
        return os_error("make folder", part, errno);
      }
      if (at != std::string::npos) ++at;
    }
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return os_error("rename", from, errno);
    return {};
  }

  Status remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) return os_error("remove", path, errno);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) return os_error("list", folder, error.value());
    return names;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return os_error("stat", path, errno);
  }

  Status sync_folder(const std::string& path) override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return os_error("open folder", path, errno);
    const int failed = ::fsync(descriptor) != 0 ? errno : 0;
    ::close(descriptor);
    if (failed != 0) return os_error("fsync folder", path, failed);
    return {};
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs facts {};
    if (::statvfs(path.c_str(), &facts) != 0) return os_error("statvfs", path, errno);
    return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
  }

 private:
  static Result<std::unique_ptr<File>> open_with(const std::string& path, int flags,
                                                 std::string_view what) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (descriptor < 0) return os_error(what, path, errno);
    return std::unique_ptr<File>(std::make_unique<OsFile>(descriptor, path));
  }
};

}  // namespace

Files& system_files() {
  static OsFiles files;
  return files;
}

Status write_file_durably(Files& files, const std::string& path, std::string_view content) {
  const std::string beside = cat(path, kUnfinished);
  GW_TRY(const bool left_over, files.exists(beside));
  if (left_over) GW_CHECK(files.remove(beside));
  GW_TRY(auto file, files.create(beside));
  GW_CHECK(file->append(std::as_bytes(std::span(content))));
  GW_CHECK(file->sync());
  GW_CHECK(files.rename(beside, path));
  return files.sync_folder(std::filesystem::path(path).parent_path().string());
}

Status remove_unfinished_files(Files& files, const std::string& folder) {
  GW_TRY(const bool there, files.exists(folder));
  if (!there) return {};
  GW_TRY(const auto names, files.list(folder));
  for (const std::string& name : names) {
    if (name.ends_with(kUnfinished)) GW_CHECK(files.remove(cat(folder, '/', name)));
  }
  return {};
}

Result<std::string> read_whole_file(Files& files, const std::string& path, std::size_t size_max) {
  GW_TRY(auto file, files.open_read(path));
  GW_TRY(const std::uint64_t size, file->size());
  if (size > size_max) {
    return Error(Code::invalid,
                 cat(path, " has ", size, " bytes; at most ", size_max, " are read"));
  }
  std::string content(size, '\0');
  GW_TRY(const std::size_t got, file->read_at(0, std::as_writable_bytes(std::span(content))));
  content.resize(got);
  return content;
}

}  // namespace gateway::core
