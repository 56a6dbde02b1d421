// The real file system on a drive with dead sectors: reading one fails with Code::io, as often as
// asked; so does a write that covers a sector only in part, since the kernel has to read the rest
// of it first. A write over all of it has the drive put a spare one there.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/fakes/forwarding_files.h"

namespace gateway::fakes {

class BadSectors final : public ForwardingFiles {
 public:
  static constexpr std::uint64_t kSectorBytes = 4096;
  static constexpr int kForGood = -1;

  explicit BadSectors(core::Files& real) : ForwardingFiles(real) {}
  /// The sector at `offset` of the files whose paths end so gives nothing for so many readings.
  void spoil(std::string path_end, std::uint64_t offset, int readings = kForGood) {
    spots_.push_back({std::move(path_end), offset / kSectorBytes * kSectorBytes, readings});
  }
  /// How many are left.
  std::size_t spoilt() const { return spots_.size(); }
  void mend() { spots_.clear(); }

  core::Result<std::unique_ptr<core::File>> create(const std::string& path) override {
    return wrap(path, ForwardingFiles::create(path));
  }
  core::Result<std::unique_ptr<core::File>> open_read(const std::string& path) override {
    return wrap(path, ForwardingFiles::open_read(path));
  }
  core::Result<std::unique_ptr<core::File>> open_write(const std::string& path) override {
    return wrap(path, ForwardingFiles::open_write(path));
  }

 private:
  struct Spot {
    std::string path_end;
    std::uint64_t offset = 0;
    int readings = kForGood;
  };

  class OpenFile final : public core::File {
   public:
    OpenFile(BadSectors& files, std::string path, std::unique_ptr<core::File> real)
        : files_(files), path_(std::move(path)), real_(std::move(real)) {}
    core::Status append(std::span<const std::byte> bytes) override { return real_->append(bytes); }
    core::Status write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      GW_CHECK(files_.write(path_, offset, bytes.size()));
      return real_->write_at(offset, bytes);
    }
    core::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      GW_CHECK(files_.read(path_, offset, bytes.size()));
      return real_->read_at(offset, bytes);
    }
    core::Result<std::uint64_t> size() override { return real_->size(); }
    core::Status sync() override { return real_->sync(); }
    void start_writeback() override { real_->start_writeback(); }
    void release_cached() override { real_->release_cached(); }

   private:
    BadSectors& files_;
    std::string path_;
    std::unique_ptr<core::File> real_;
  };

  core::Status read(const std::string& path, std::uint64_t offset, std::uint64_t count) {
    for (auto spot = spots_.begin(); spot != spots_.end(); ++spot) {
      if (!touches(*spot, path, offset, count)) continue;
      if (spot->readings > 0 && --spot->readings == 0) spots_.erase(spot);
      return failed(path);
    }
    return {};
  }
  core::Status write(const std::string& path, std::uint64_t offset, std::uint64_t count) {
    for (auto spot = spots_.begin(); spot != spots_.end();) {
      if (!touches(*spot, path, offset, count)) {
        ++spot;
      } else if (offset > spot->offset || offset + count < spot->offset + kSectorBytes) {
        return failed(path);
      } else {
        spot = spots_.erase(spot);
      }
    }
    return {};
  }
  static bool touches(const Spot& spot, const std::string& path, std::uint64_t offset,
                      std::uint64_t count) {
    return path.ends_with(spot.path_end) && offset < spot.offset + kSectorBytes &&
           spot.offset < offset + count;
  }
  static core::Error failed(const std::string& path) {
    return {core::Code::io, path + ": Input/output error"};
  }
  core::Result<std::unique_ptr<core::File>> wrap(const std::string& path,
                                                 core::Result<std::unique_ptr<core::File>> file) {
    if (!file.ok()) return file;
    return std::unique_ptr<core::File>(std::make_unique<OpenFile>(*this, path, std::move(*file)));
  }

  std::list<Spot> spots_;
};

}  // namespace gateway::fakes
