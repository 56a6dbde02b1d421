#include "tests/at_rest/real_disk.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/text.h"

namespace gateway::at_rest {
namespace {

namespace fs = std::filesystem;
using core::cat;

constexpr std::uint64_t kRoom = 64U << 20;
constexpr char kDeviceSize[] = "48m";

struct statvfs usage_of(const std::string& folder) {
  struct statvfs usage {};
  EXPECT_EQ(::statvfs(folder.c_str(), &usage), 0) << std::strerror(errno);
  return usage;
}

bool resize(const std::string& folder, unsigned long flags, std::uint64_t bytes) {
  return ::mount("tmpfs", folder.c_str(), "tmpfs", flags, cat("size=", bytes).c_str()) == 0;
}

/// What is dirty goes to the device now, whatever comes of it.
void write_back(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  static_cast<void>(::syncfs(file));
  ::close(file);
}

/// Its exit status; -1: it did not end by itself.
int status_of(const std::string& command) {
  const int status = std::system(cat(command, " >/dev/null").c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool run(const std::string& command) { return status_of(command) == 0; }

/// e2fsck(8): from this exit status on it left errors for a person to decide about.
constexpr int kLeftUncorrected = 4;

}  // namespace

SmallTmpfs::~SmallTmpfs() { unmount(); }

void SmallTmpfs::unmount() {
  if (!std::exchange(mounted_, false)) return;
  EXPECT_EQ(::umount2(folder().c_str(), MNT_DETACH), 0);
}

std::string SmallTmpfs::mount_empty() {
  unmount();
  mounted_ = resize(folder(), 0, kRoom);
  return mounted_ ? "" : cat("a tmpfs cannot be mounted here: ", std::strerror(errno));
}

void SmallTmpfs::leave(std::uint64_t bytes) {
  const auto usage = usage_of(folder());
  const std::uint64_t used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize;
  ASSERT_TRUE(resize(folder(), MS_REMOUNT, used + bytes)) << std::strerror(errno);
}

std::uint64_t SmallTmpfs::bytes_left() {
  const auto usage = usage_of(folder());
  return usage.f_bfree * usage.f_frsize;
}

bool SmallTmpfs::give_room() {
  EXPECT_TRUE(resize(folder(), MS_REMOUNT, kRoom));
  return true;
}

FailingDevice::~FailingDevice() { unmount(); }

void FailingDevice::unmount() {
  if (!std::exchange(mounted_, false)) return;
  EXPECT_EQ(::umount2(folder().c_str(), 0), 0);
}

std::string FailingDevice::mount_empty() {
  unmount();
  std::string why = backing_.mount_empty();
  if (!why.empty()) return why;
  const std::string store = cat(backing_.folder(), "/store");
  if (!run(cat("mkfs.ext4 -q -m 0 -E lazy_itable_init=0,lazy_journal_init=0 ", store, " ",
               kDeviceSize))) {
    return "mkfs.ext4 does not make a file system";
  }
  mounted_ = run(cat("mount -o loop ", store, " ", folder()));
  return mounted_ ? "" : "a loop device cannot be mounted here";
}

void FailingDevice::leave(std::uint64_t bytes) {
  write_back(folder());
  backing_.leave(bytes);
}

std::uint64_t FailingDevice::bytes_left() {
  write_back(folder());
  return backing_.bytes_left();
}

bool FailingDevice::give_room() {
  unmount();
  static_cast<void>(backing_.give_room());
  const std::string store = cat(backing_.folder(), "/store");
  // As a machine's start does. A device that refuses one write and takes the next can cost the file
  // system an inode that its journal had promised.
  const int checked = status_of(cat("e2fsck -f -p ", store));
  if (checked < 0 || checked >= kLeftUncorrected) return false;
  mounted_ = run(cat("mount -o loop ", store, " ", folder()));
  EXPECT_TRUE(mounted_);
  return mounted_ && fs::is_empty(cat(folder(), "/lost+found"));
}

void put_image(const fakes::DiskImage& image, const std::string& folder) {
  for (const std::string& path : image.folders) fs::create_directories(cat(folder, path));
  for (const auto& [path, content] : image.files) {
    fs::create_directories(fs::path(cat(folder, path)).parent_path());
    std::ofstream file(cat(folder, path), std::ios::binary);
    file << content;
    ASSERT_TRUE(file.flush().good()) << path;
  }
}

fakes::DiskImage image_of(const std::string& folder) {
  fakes::DiskImage image;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string().substr(folder.size());
    if (path == "/lost+found") continue;
    if (entry.is_directory()) {
      image.folders.insert(path);
      continue;
    }
    std::ifstream file(entry.path(), std::ios::binary);
    image.files[path].assign(std::istreambuf_iterator<char>(file), {});
  }
  return image;
}

}  // namespace gateway::at_rest
