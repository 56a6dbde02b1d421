// What a third-party adapter may write in a line, how often, and what it is told else.
#include "adapters/thirdparty/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/thirdparty/rate_limit.h"

namespace gateway::adapters::thirdparty {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Type = Request::Type;

std::string refusal_of(std::string_view line) {
  const Heard heard = read_line(line);
  return heard.request.ok() ? "" : heard.request.error().message();
}

TEST(Request, AHelloSaysVersionAndToken) {
  const Heard heard = read_line(R"({"type":"hello","version":1,"token":"t"})");
  ASSERT_TRUE(heard.request.ok());
  EXPECT_EQ(heard.request->type, Type::hello);
  EXPECT_EQ(heard.request->version, 1);
  EXPECT_EQ(heard.request->token, "t");
}

TEST(Request, ContentComesAsTextOrInBase64) {
  const Heard text = read_line(R"({"type":"record","id":"7","text":"{\"a\":2.0}","at":"2026"})");
  ASSERT_TRUE(text.request.ok());
  EXPECT_EQ(text.request->type, Type::record);
  EXPECT_EQ(text.request->bytes, "{\"a\":2.0}");
  EXPECT_EQ(text.request->at, "2026");
  const Heard data = read_line(R"({"type":"hl7","id":"7","data":"TVNIfA=="})");
  ASSERT_TRUE(data.request.ok());
  EXPECT_EQ(data.request->type, Type::hl7);
  EXPECT_EQ(data.request->bytes, "MSH|");
  const Heard both =
      read_line(R"({"type":"record","id":"7","text":"x","name":"a.json","document":"JVBERg=="})");
  ASSERT_TRUE(both.request.ok());
  EXPECT_EQ(both.request->document, "%PDF");
  EXPECT_EQ(both.request->name, "a.json");
}

TEST(Request, WhatIsWrongIsToldWithTheIdAndWithoutTheContent) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"Roe", "no JSON"},
      {R"(["Roe"])", "no JSON object"},
      {R"({"id":"7"})", "type is unknown"},
      {R"({"type":"Roe","id":"7"})", "type is unknown; it is hl7, record or document"},
      {R"({"type":"hl7","id":"7","text":"Roe","Roe":"x"})", "those of hl7 are type id text data"},
      {R"({"type":"hl7","id":"7","text":"Roe","":"x"})", "a member is not known"},
      {R"({"type":"document","id":"7","text":"Roe"})", "a member is not known"},
      {R"({"type":"hl7","id":"7","text":5})", "text is no text"},
      {R"({"type":"hello","version":"1","token":"Roe"})", "version is no whole number"},
      {R"({"type":"hl7","text":"Roe"})", "id is not there"},
      {R"({"type":"hl7","id":"7"})", "one of the two"},
      {R"({"type":"hl7","id":"7","text":"Roe","data":"Um9l"})", "one of the two"},
      {R"({"type":"document","id":"7"})", "the document in base64"},
      {R"({"type":"document","id":"7","data":"Roe!"})", "data is not base64"},
      {R"({"type":"record","id":"7","text":"Roe","document":"!"})", "document is not base64"},
      {R"({"type":"hl7","id":"7","text":""})", "nothing in it"},
  };
  for (const auto& [line, reason] : kWrong) {
    EXPECT_THAT(refusal_of(line), HasSubstr(reason)) << line;
    EXPECT_THAT(refusal_of(line), Not(HasSubstr("Roe"))) << line;
  }
  EXPECT_EQ(read_line(R"({"type":"hl7","id":"7","text":""})").id, "7");
  EXPECT_THAT(refusal_of(R"({"type":"hl7","text":"x","id":")" + std::string(201, 'i') + "\"}"),
              HasSubstr("longer than 200 bytes"));
}

TEST(RateLimit, AsManyAtOnceAsASecondHasAndThenOneAfterTheOther) {
  RateLimit limit(2);
  const core::Monotonic begin{std::chrono::hours(1)};
  using core::Milliseconds;
  EXPECT_EQ(limit.take(begin).count(), 0);
  EXPECT_EQ(limit.take(begin).count(), 0);
  EXPECT_EQ(limit.take(begin).count(), 500);
  EXPECT_EQ(limit.take(begin + Milliseconds(499)).count(), 1);
  EXPECT_EQ(limit.take(begin + Milliseconds(500)).count(), 0);
  EXPECT_EQ(limit.take(begin + Milliseconds(500)).count(), 500);
  // Rest is not saved up.
  const core::Monotonic later = begin + std::chrono::hours(1);
  EXPECT_EQ(limit.take(later).count(), 0);
  EXPECT_EQ(limit.take(later).count(), 0);
  EXPECT_EQ(limit.take(later).count(), 500);
}

}  // namespace
}  // namespace gateway::adapters::thirdparty
