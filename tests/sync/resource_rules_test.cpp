// JSON Patch, and what a resource must be like to be taken from an app.
#include "sync/fhir/resource_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sync/fhir/json_patch.h"

namespace gateway::sync {
namespace {

using core::Json;
using testing::HasSubstr;

Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? *parsed : Json();
}

std::string patched(std::string_view document, std::string_view patch) {
  auto done = apply_json_patch(json(document), json(patch));
  return done.ok() ? done->dump() : "error: " + done.error().message();
}

// RFC 6902 appendix A.
TEST(JsonPatch, DoesWhatTheStandardsExamplesShow) {
  EXPECT_EQ(patched(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])"),
            R"({"foo":"bar","baz":"qux"})");
  EXPECT_EQ(patched(R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])"),
            R"({"foo":["bar","qux","baz"]})");
  EXPECT_EQ(patched(R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])"),
            R"({"foo":"bar"})");
  EXPECT_EQ(patched(R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])"),
            R"({"foo":["bar","baz"]})");
  EXPECT_EQ(patched(R"({"baz":"qux"})", R"([{"op":"replace","path":"/baz","value":"boo"}])"),
            R"({"baz":"boo"})");
  EXPECT_EQ(patched(R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
                    R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])"),
            R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})");
  EXPECT_EQ(patched(R"({"foo":["all","grass","cows","eat"]})",
                    R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])"),
            R"({"foo":["all","cows","eat","grass"]})");
  EXPECT_EQ(patched(R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc"]}])"),
            R"({"foo":["bar",["abc"]]})");
  EXPECT_EQ(patched(R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])"),
            R"({"/":9,"~1":10})");
}

TEST(JsonPatch, FailsAsAWholeAndSaysWhere) {
  EXPECT_THAT(patched(R"({"a":1})", R"([{"op":"test","path":"/a","value":2}])"),
              HasSubstr("operation 1: the test does not hold"));
  EXPECT_THAT(patched(R"({"a":1})", R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])"),
              HasSubstr("operation 2"));
  for (const char* patch :
       {R"({"op":"add"})", R"([{"op":"add","path":"a","value":1}])",
        R"([{"op":"add","path":"/b/c","value":1}])", R"([{"op":"grow","path":"/a","value":1}])",
        R"([{"op":"replace","path":"/x","value":1}])", R"([{"op":"add","path":"/a/~2","value":1}])",
        R"([{"op":"remove","path":""}])", R"([{"op":"move","from":"/a","path":"/a/b"}])"}) {
    EXPECT_THAT(patched(R"({"a":1})", patch), HasSubstr("error")) << patch;
  }
}

TEST(JsonPatch, KeepsTheDigits) {
  EXPECT_EQ(patched(R"({"value":1.50,"x":1})", R"([{"op":"replace","path":"/x","value":0.10}])"),
            R"({"value":1.50,"x":0.10})");
}

TEST(JsonPatch, TestsNumbersByTheirValue) {
  const auto test = [](std::string_view held, std::string_view wanted) {
    const auto text = [](std::string_view a, std::string_view b, std::string_view c) {
      return std::string(a) + std::string(b) + std::string(c);
    };
    return patched(text(R"({"a":{"value":)", held, "}}"),
                   text(R"([{"op":"test","path":"/a","value":{"value":)", wanted, "}}]"))
        .starts_with("{");
  };
  for (const char* same : {"1.5", "1.50", "15e-1", "0.015E+2", "150e-2"})
    EXPECT_TRUE(test("1.50", same)) << same;
  EXPECT_TRUE(test("100", "1e2"));
  EXPECT_TRUE(test("0", "-0.00"));
  EXPECT_TRUE(test("-2.0", "-2"));
  for (const char* other : {"1.51", "-1.5", "15", "\"1.50\"", "1.5e300"})
    EXPECT_FALSE(test("1.50", other)) << other;
  EXPECT_FALSE(test("-1e300", "1e300"));
}

TEST(ResourceRules, NameWhatIsMissingOrWrong) {
  const auto complaint = [](std::string_view type, std::string_view text) {
    const auto good = check_resource(type, json(text));
    return good.ok() ? std::string("fine") : good.error().message();
  };
  const std::string_view kCode = R"("code":{"text":"Glucose"})";
  EXPECT_EQ(
      complaint("Observation", std::string(R"({"resourceType":"Observation","status":"final",)") +
                                   std::string(kCode) + "}"),
      "fine");
  EXPECT_THAT(complaint("Observation", R"({"resourceType":"Observation","status":"final"})"),
              HasSubstr("element code"));
  EXPECT_THAT(complaint("Observation",
                        R"({"resourceType":"Observation","status":"done","code":{"text":"x"}})"),
              HasSubstr("status"));
  EXPECT_THAT(
      complaint("Immunization",
                R"({"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},)"
                R"("patient":{"reference":"Patient/1"}})"),
      HasSubstr("occurrence[x]"));
  EXPECT_THAT(complaint("Patient", R"({"resourceType":"Patient","name":[]})"), HasSubstr("name"));
  EXPECT_THAT(complaint("Patient", R"({"resourceType":"Patient","gender":""})"),
              HasSubstr("gender"));
  EXPECT_THAT(complaint("Patient", R"({"resourceType":"Patient","gender":null})"),
              HasSubstr("gender"));
  EXPECT_THAT(complaint("Patient", R"({"resourceType":"Patient","id":"a b"})"), HasSubstr("id"));
  EXPECT_THAT(
      complaint("Patient",
                R"({"resourceType":"Patient","managingOrganization":{"reference":"nobody"}})"),
      HasSubstr("managingOrganization"));
  EXPECT_THAT(complaint("Patient", R"({"resourceType":"Observation"})"), HasSubstr("resourceType"));
}

TEST(ResourceRules, WhatMayRepeatIsAnArray) {
  const auto complaint = [](std::string_view members) {
    const auto good = check_resource(
        "Patient", json(R"({"resourceType":"Patient",)" + std::string(members) + "}"));
    return good.ok() ? std::string("fine") : good.error().message();
  };
  EXPECT_THAT(complaint(R"("identifier":{"system":"s","value":"v"})"), HasSubstr("identifier"));
  EXPECT_THAT(complaint(R"("name":{"family":"Roe"})"), HasSubstr("name"));
  EXPECT_THAT(complaint(R"("link":{"type":"refer","other":{"reference":"Patient/1"}})"),
              HasSubstr("link"));
  EXPECT_THAT(complaint(R"("contained":{"resourceType":"Organization"})"), HasSubstr("contained"));
  EXPECT_THAT(complaint(R"("name":[{"family":"Roe","extension":{"url":"u"}}])"),
              HasSubstr("extension"));
  EXPECT_THAT(complaint(R"("maritalStatus":{"coding":{"code":"M"}})"), HasSubstr("coding"));
  EXPECT_THAT(complaint(R"("meta":"x")"), HasSubstr("meta"));
  EXPECT_THAT(complaint(R"("meta":{"tag":{"code":"x"}})"), HasSubstr("tag"));
  EXPECT_EQ(complaint(R"("identifier":[{"system":"s","value":"v"}],"meta":{"tag":[{"code":"x"}]},)"
                      R"("managingOrganization":{"identifier":{"system":"s","value":"v"}})"),
            "fine");
}

TEST(ResourceRules, AFinalResultStaysFinalAndAnErrorAnError) {
  const Json final = json(R"({"status":"final"})");
  const Json error = json(R"({"status":"entered-in-error"})");
  EXPECT_FALSE(check_transition("Observation", final, json(R"({"status":"preliminary"})")).ok());
  EXPECT_TRUE(check_transition("Observation", final, json(R"({"status":"corrected"})")).ok());
  EXPECT_TRUE(check_transition("Observation", final, error).ok());
  EXPECT_FALSE(check_transition("Condition", error, json(R"({"status":"active"})")).ok());
}

TEST(ResourceRules, WhatTheServerSaysItselfIsNoEdit) {
  EXPECT_EQ(without_server_meta(json(R"({"id":"1","meta":{"versionId":"3","lastUpdated":"x"}})")),
            json(R"({"id":"1"})"));
  EXPECT_EQ(without_server_meta(json(R"({"meta":{"versionId":"3","profile":["p"]}})")),
            json(R"({"meta":{"profile":["p"]}})"));
}

}  // namespace
}  // namespace gateway::sync
