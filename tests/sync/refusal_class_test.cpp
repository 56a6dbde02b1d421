#include "sync/refusal_class.h"

#include <gtest/gtest.h>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::Json;

Json outcome_of(std::initializer_list<const char*> codes) {
  Json issues = Json::array();
  for (const char* code : codes) {
    issues.add(Json::object({{"severity", "error"},
                             {"code", code},
                             {"diagnostics", "Patient Villarrubiales is not to be changed"}}));
  }
  return Json::object({{"resourceType", "OperationOutcome"}, {"issue", issues}});
}

TEST(RefusalClass, IsTheStatusAndTheCodesWithoutTheServersWords) {
  const std::string codes = issue_codes(outcome_of({"processing", "business-rule"}));
  EXPECT_EQ(codes, " (processing, business-rule)");
  EXPECT_EQ(refusal_class(core::cat("the server answered 422", codes, "; Villarrubiales")),
            "HTTP 422 (processing, business-rule)");
  EXPECT_EQ(refusal_class("the server answered 500"), "HTTP 500");
  EXPECT_EQ(refusal_class("the PACS answered 409 and will not take the instance"), "HTTP 409");
}

TEST(RefusalClass, KnowsNoCodeThatFhirDoesNotKnow) {
  EXPECT_EQ(issue_codes(outcome_of({"Villarrubiales", "not-found"})), " (not-found)");
  EXPECT_EQ(issue_codes(outcome_of({})), "");
  EXPECT_EQ(issue_codes(Json()), "");
  EXPECT_EQ(refusal_class("the server answered 422 (Villarrubiales, invalid"),
            "HTTP 422 (invalid)");
  EXPECT_EQ(refusal_class("the server answered 422 (Villarrubiales)"), "HTTP 422");
  EXPECT_EQ(refusal_class("the server answered 42"), "other");
  EXPECT_EQ(refusal_class("the server answered abc"), "other");
  EXPECT_EQ(refusal_class("Villarrubiales"), "other");
  EXPECT_EQ(refusal_class(""), "other");
}

/// The list is searched as a sorted one.
TEST(RefusalClass, KnowsTheFirstAndTheLastOfTheCodes) {
  for (const char* code :
       {"business-rule", "code-invalid", "extension", "informational", "login", "multiple-matches",
        "no-store", "structure", "too-costly", "too-long", "value"})
    EXPECT_EQ(issue_codes(outcome_of({code})), core::cat(" (", code, ")"));
}

}  // namespace
}  // namespace gateway::sync
