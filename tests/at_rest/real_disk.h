// Disks of the kernel's own that end: a tmpfs of a few MB, and an ext4 on a loop device whose
// backing store runs out, which the file system is told as EIO. Need the right to mount.
#pragma once

#include <cstdint>
#include <string>

#include "tests/crypto/scratch_folder.h"
#include "tests/fakes/fault_files.h"

namespace gateway::at_rest {

/// For one test, on one thread. Calls that cannot fail in a working test fail it.
class RealDisk {
 public:
  virtual ~RealDisk() = default;
  RealDisk() = default;
  RealDisk(const RealDisk&) = delete;
  RealDisk& operator=(const RealDisk&) = delete;

  /// Mounts an empty one with room; what was there is gone. The answer says why not; empty: done.
  virtual std::string mount_empty() = 0;
  virtual const std::string& folder() const = 0;
  /// From now on so many bytes more can be written to it.
  virtual void leave(std::uint64_t bytes) = 0;
  /// Of those.
  virtual std::uint64_t bytes_left() = 0;
  /// There is room again. Nothing may be open on a disk that does not survive its end. False: its
  /// file system lost structure of its own, so what is missing from it says nothing about us.
  [[nodiscard]] virtual bool give_room() = 0;
  /// What runs on it goes on, without a start of the machine.
  virtual bool survives_its_end() const = 0;
};

/// Writes fail with ENOSPC.
class SmallTmpfs final : public RealDisk {
 public:
  ~SmallTmpfs() override;
  std::string mount_empty() override;
  const std::string& folder() const override { return folder_.path(); }
  void leave(std::uint64_t bytes) override;
  std::uint64_t bytes_left() override;
  [[nodiscard]] bool give_room() override;
  bool survives_its_end() const override { return true; }

 private:
  void unmount();
  crypto::ScratchFolder folder_;
  bool mounted_ = false;
};

/// Writes fail with EIO when they reach the device, and the file system stays readable only.
class FailingDevice final : public RealDisk {
 public:
  ~FailingDevice() override;
  std::string mount_empty() override;
  const std::string& folder() const override { return folder_.path(); }
  void leave(std::uint64_t bytes) override;
  std::uint64_t bytes_left() override;
  [[nodiscard]] bool give_room() override;
  bool survives_its_end() const override { return false; }

 private:
  void unmount();
  SmallTmpfs backing_;
  crypto::ScratchFolder folder_;
  bool mounted_ = false;
};

void put_image(const fakes::DiskImage& image, const std::string& folder);
fakes::DiskImage image_of(const std::string& folder);

}  // namespace gateway::at_rest
