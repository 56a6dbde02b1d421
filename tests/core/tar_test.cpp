#include "core/tar.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/text.h"

namespace gateway::core {
namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Tar, IsReadByTar) {
  std::string folder = testing::TempDir() + "tarXXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string block(512, 'b');
  const std::string name(100, 'n');
  TarWriter writer(Wall(std::chrono::seconds(1'767'225'600)));
  writer.add("empty", "");
  writer.add("block", block);
  writer.add(name, block + "x");
  std::ofstream(folder + "/it.tar", std::ios::binary) << std::move(writer).finish();
  ASSERT_EQ(std::system(cat("tar -C ", folder, " -xf ", folder, "/it.tar").c_str()), 0);
  EXPECT_EQ(content_of(folder + "/empty"), "");
  EXPECT_EQ(content_of(folder + "/block"), block);
  EXPECT_EQ(content_of(cat(folder, '/', name)), block + "x");
  struct stat facts {};
  ASSERT_EQ(::stat((folder + "/block").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mtime, 1'767'225'600);
  std::filesystem::remove_all(folder);
}

TEST(Tar, OfATimeBeforeAllTimesIsOneOfTheFirst) {
  TarWriter writer(Wall(std::chrono::hours(-1)));
  writer.add("a", "b");
  EXPECT_EQ(std::move(writer).finish().size(), 512U * 4);
}

}  // namespace
}  // namespace gateway::core
