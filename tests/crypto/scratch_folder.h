// A folder of its own for a test that needs a real file system; removed with everything in it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace gateway::crypto {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string made = testing::TempDir() + "gateway-XXXXXX";
    EXPECT_NE(::mkdtemp(made.data()), nullptr);
    path_ = made;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace gateway::crypto
