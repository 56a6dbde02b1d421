// The real file system until a process would have been killed: from the given operation on nothing
// is done any more. What was done before stays, synced or not.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/fakes/forwarding_files.h"

namespace gateway::fakes {

/// One thread. Reading is neither counted nor stopped.
class StoppingFiles final : public ForwardingFiles {
 public:
  StoppingFiles(core::Files& real, std::uint64_t stop_at) : ForwardingFiles(real), left_(stop_at) {}
  bool stopped() const { return left_ == 0; }

  core::Result<std::unique_ptr<core::File>> create(const std::string& path) override {
    GW_CHECK(count());
    return wrap(ForwardingFiles::create(path));
  }
  core::Result<std::unique_ptr<core::File>> open_write(const std::string& path) override {
    return wrap(ForwardingFiles::open_write(path));
  }
  core::Status make_folder(const std::string& path) override {
    GW_CHECK(count());
    return ForwardingFiles::make_folder(path);
  }
  core::Status rename(const std::string& from, const std::string& to) override {
    GW_CHECK(count());
    return ForwardingFiles::rename(from, to);
  }
  core::Status remove(const std::string& path) override {
    GW_CHECK(count());
    return ForwardingFiles::remove(path);
  }
  core::Status sync_folder(const std::string& path) override {
    GW_CHECK(count());
    return ForwardingFiles::sync_folder(path);
  }

 private:
  class StoppingFile final : public core::File {
   public:
    StoppingFile(StoppingFiles& files, std::unique_ptr<core::File> real)
        : files_(files), real_(std::move(real)) {}
    core::Status append(std::span<const std::byte> bytes) override {
      GW_CHECK(files_.count());
      return real_->append(bytes);
    }
    core::Status write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      GW_CHECK(files_.count());
      return real_->write_at(offset, bytes);
    }
    core::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      return real_->read_at(offset, bytes);
    }
    core::Result<std::uint64_t> size() override { return real_->size(); }
    core::Status sync() override {
      GW_CHECK(files_.count());
      return real_->sync();
    }
    void start_writeback() override { real_->start_writeback(); }
    void release_cached() override { real_->release_cached(); }

   private:
    StoppingFiles& files_;
    std::unique_ptr<core::File> real_;
  };

  core::Status count() {
    if (left_ > 0) --left_;
    if (left_ > 0) return {};
    return core::Error(core::Code::io, "killed here");
  }
  core::Result<std::unique_ptr<core::File>> wrap(core::Result<std::unique_ptr<core::File>> file) {
    if (!file.ok()) return file;
    return std::unique_ptr<core::File>(std::make_unique<StoppingFile>(*this, std::move(*file)));
  }

  std::uint64_t left_;
};

}  // namespace gateway::fakes
