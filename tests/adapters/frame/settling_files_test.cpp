#include "adapters/frame/settling_files.h"

#include <gtest/gtest.h>

namespace gateway::adapters::frame {
namespace {

using std::chrono::seconds;

constexpr core::Monotonic kBegin{seconds(1000)};

std::vector<std::string> names(const std::vector<RestingFile>& files) {
  std::vector<std::string> list;
  for (const RestingFile& file : files) list.push_back(file.name);
  return list;
}

using Names = std::vector<std::string>;

TEST(SettlingFiles, AFileRestsOnceItHasNotChangedForTheQuietTime) {
  SettlingFiles settling(seconds(2));
  EXPECT_EQ(names(settling.look({{"a", {1, 10, 5}}}, kBegin)), Names{});
  EXPECT_EQ(names(settling.look({{"a", {1, 20, 6}}}, kBegin + seconds(1))), Names{});
  EXPECT_EQ(names(settling.look({{"a", {1, 20, 6}}}, kBegin + seconds(2))), Names{});
  EXPECT_EQ(names(settling.look({{"a", {1, 20, 6}}}, kBegin + seconds(3))), Names{"a"});
}

TEST(SettlingFiles, WhatAWriterHasOpenNeverRestsHoweverLongItPauses) {
  SettlingFiles settling(seconds(2));
  settling.wrote("a");
  settling.look({{"a", {1, 10, 5}}}, kBegin);
  EXPECT_EQ(names(settling.look({{"a", {1, 10, 5}}}, kBegin + seconds(3600))), Names{});
  settling.closed("a");
  EXPECT_EQ(names(settling.look({{"a", {1, 10, 5}}}, kBegin + seconds(3601))), Names{"a"});
}

TEST(SettlingFiles, AnotherFileOfTheSameNameBeginsAnew) {
  SettlingFiles settling(seconds(2));
  settling.look({{"a", {1, 10, 5}}}, kBegin);
  EXPECT_EQ(names(settling.look({{"a", {2, 10, 5}}}, kBegin + seconds(5))), Names{});
  EXPECT_EQ(names(settling.look({}, kBegin + seconds(6))), Names{});
  EXPECT_EQ(names(settling.look({{"a", {2, 10, 5}}}, kBegin + seconds(9))), Names{});
}

TEST(SettlingFiles, WhereEventsWereLostTheLooksCount) {
  SettlingFiles settling(seconds(2));
  settling.wrote("a");
  settling.look({{"a", {1, 10, 5}}}, kBegin);
  settling.lost_track();
  EXPECT_EQ(names(settling.look({{"a", {1, 10, 5}}}, kBegin + seconds(2))), Names{"a"});
}

TEST(SettlingFiles, NamesOfCopiesUnderWayAreKnown) {
  for (const char* name : {".x.pdf.Ab3", "~$x.csv", "x.pdf.part", "X.PDF.TMP", "x.filepart"})
    EXPECT_TRUE(is_unfinished_name(name)) << name;
  EXPECT_FALSE(is_unfinished_name("x.pdf"));
}

}  // namespace
}  // namespace gateway::adapters::frame
