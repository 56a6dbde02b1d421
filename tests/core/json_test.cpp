#include "core/json.h"

#include <gtest/gtest.h>

namespace gateway::core {
namespace {

TEST(Json, NumbersKeepTheirDigitsAndMembersTheirOrder) {
  const char* text =
      R"({"z":1.50,"a":0.10,"m":[1e5,-0,12345678901234567890.000],"n":null,"t":true})";
  const auto json = Json::parse(text);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->dump(), text);
}

TEST(Json, TextsSurviveWithEscapesAndUnicode) {
  const auto json = Json::parse(R"({"name":"Ñ\"\\\u0041\ud83d\ude00"})");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ((*json)["name"].text(), "Ñ\"\\A😀");
  EXPECT_EQ(*Json::parse(json->dump()), *json);
}

TEST(Json, WhatIsNotJsonIsRefusedWithItsPlace) {
  for (const char* bad : {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "{\"a\":null,\"a\":2}", "{} x",
                          "\"\xff\"", "01", "NaN"}) {
    const auto json = Json::parse(bad);
    ASSERT_FALSE(json.ok()) << bad;
    EXPECT_EQ(json.error().code(), Code::invalid);
    EXPECT_NE(json.error().message().find("at byte"), std::string::npos);
  }
}

TEST(Json, DepthIsLimitedNotFollowedToTheEndOfTheStack) {
  EXPECT_FALSE(Json::parse(std::string(1'000'000, '[')).ok());
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  EXPECT_TRUE(Json::parse(deep).ok());
  EXPECT_FALSE(Json::parse("[" + deep + "]").ok());
}

TEST(Json, ReadersAreLenientAboutShape) {
  const auto json = *Json::parse(R"({"a":[{"b":"c"}],"i":42,"f":4.2})");
  EXPECT_EQ(json["a"][std::size_t{0}]["b"].text(), "c");
  EXPECT_EQ(json["a"]["x"][std::size_t{7}]["y"].text(), "");
  EXPECT_EQ(json["i"].integer(), 42);
  EXPECT_EQ(json["f"].integer(), std::nullopt);
  EXPECT_EQ(json["f"].number_text(), "4.2");
}

TEST(Json, BuildersReplaceAppendAndErase) {
  Json json;
  json.set("a", 1).set("b", "x").set("a", 2);
  json.set("list", Json::array({1, "two"}));
  EXPECT_EQ(json.dump(), R"({"a":2,"b":"x","list":[1,"two"]})");
  EXPECT_TRUE(json.erase("b"));
  EXPECT_FALSE(json.erase("b"));
  EXPECT_EQ(json.dump(), R"({"a":2,"list":[1,"two"]})");
}

}  // namespace
}  // namespace gateway::core
