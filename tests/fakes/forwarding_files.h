// A file system that is another one, until a test says in what it differs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/files.h"

namespace gateway::fakes {

/// Every call goes to `real`, which must outlive this. Threads: as `real`.
class ForwardingFiles : public core::Files {
 public:
  explicit ForwardingFiles(core::Files& real) : real_(real) {}

  core::Result<std::unique_ptr<core::File>> create(const std::string& path) override {
    return real_.create(path);
  }
  core::Result<std::unique_ptr<core::File>> open_read(const std::string& path) override {
    return real_.open_read(path);
  }
  core::Result<std::unique_ptr<core::File>> open_write(const std::string& path) override {
    return real_.open_write(path);
  }
  core::Status make_folder(const std::string& path) override { return real_.make_folder(path); }
  core::Status rename(const std::string& from, const std::string& to) override {
    return real_.rename(from, to);
  }
  core::Status remove(const std::string& path) override { return real_.remove(path); }
  core::Result<std::vector<std::string>> list(const std::string& folder) override {
    return real_.list(folder);
  }
  core::Result<bool> exists(const std::string& path) override { return real_.exists(path); }
  core::Status sync_folder(const std::string& path) override { return real_.sync_folder(path); }
  core::Result<std::uint64_t> free_bytes(const std::string& path) override {
    return real_.free_bytes(path);
  }
  const char* database_vfs() const override { return real_.database_vfs(); }

 private:
  core::Files& real_;
};

}  // namespace gateway::fakes
