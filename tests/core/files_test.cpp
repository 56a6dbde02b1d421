#include "core/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace gateway::core {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "gateway-files-XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(pattern.data()));
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }

  std::string folder_;
  Files& files_ = system_files();
};

TEST_F(FilesTest, AppendsReadsBackAndOverwritesInPlace) {
  auto file = files_.create(folder_ + "/a");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->append(bytes("hello ")).ok());
  ASSERT_TRUE((*file)->append(bytes("world")).ok());
  ASSERT_TRUE((*file)->write_at(0, bytes("J")).ok());
  ASSERT_TRUE((*file)->sync().ok());
  EXPECT_EQ(*(*file)->size(), 11u);
  EXPECT_EQ(*read_whole_file(files_, folder_ + "/a", 100), "Jello world");
}

TEST_F(FilesTest, NobodyElseCanReadWhatIsMade) {
  ASSERT_TRUE(files_.create(folder_ + "/a").ok());
  ASSERT_TRUE(files_.make_folder(folder_ + "/x/y").ok());
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ + "/a").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  ASSERT_EQ(::stat((folder_ + "/x/y").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0700u);
}

TEST_F(FilesTest, ErrorsSayWhatThereIsToDoByTheirCode) {
  ASSERT_TRUE(files_.create(folder_ + "/a").ok());
  EXPECT_EQ(files_.create(folder_ + "/a").error().code(), Code::exists);
  EXPECT_EQ(files_.open_read(folder_ + "/none").error().code(), Code::not_found);
  EXPECT_EQ(files_.create("/dev/full/x").ok(), false);
}

TEST_F(FilesTest, AFullDiskIsToldFromOtherTrouble) {
  auto full = files_.open_write("/dev/full");
  ASSERT_TRUE(full.ok());
  EXPECT_EQ((*full)->append(bytes("x")).error().code(), Code::no_space);
}

TEST_F(FilesTest, WritingDurablyReplacesTheWholeFileAndALeftOver) {
  ASSERT_TRUE(files_.create(folder_ + "/a.new").ok());
  ASSERT_TRUE(write_file_durably(files_, folder_ + "/a", "one").ok());
  ASSERT_TRUE(write_file_durably(files_, folder_ + "/a", "two").ok());
  EXPECT_EQ(*read_whole_file(files_, folder_ + "/a", 100), "two");
  EXPECT_FALSE(*files_.exists(folder_ + "/a.new"));
  EXPECT_FALSE(read_whole_file(files_, folder_ + "/a", 2).ok());
}

}  // namespace
}  // namespace gateway::core
