#include "core/gzip.h"

#include <gtest/gtest.h>

namespace gateway::core {
namespace {

TEST(Gzip, GivesBackWhatItTook) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(300'000, 'a')}) {
    const auto back = gunzip(gzip(text), 1 << 20);
    ASSERT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(*back, text);
  }
}

TEST(Gzip, ABombIsLeftUnpacked) {
  const std::string packed = gzip(std::string(10 << 20, 'a'));
  EXPECT_LT(packed.size(), 100'000u);
  const auto unpacked = gunzip(packed, 1 << 20);
  ASSERT_FALSE(unpacked.ok());
  EXPECT_EQ(unpacked.error().code(), Code::refused);
}

TEST(Gzip, WhatIsCutShortOrNoGzipIsRefused) {
  const std::string packed = gzip("some text that is packed");
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_FALSE(gunzip(packed.substr(0, size), 1000).ok()) << size;
  EXPECT_EQ(gunzip("plain text", 1000).error().code(), Code::invalid);
}

}  // namespace
}  // namespace gateway::core
