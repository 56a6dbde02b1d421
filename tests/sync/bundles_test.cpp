// Many resources in one request, against a scripted server.
#include <algorithm>
#include <map>

#include "tests/sync/uplinks_fixture.h"

namespace gateway::sync {
namespace {

/// Three resources that wait, none of which needs another.
class BundlesTest : public UplinksTest {
 protected:
  void SetUp() override {
    UplinksTest::SetUp();
    takes_batch_ = true;
  }
  std::vector<OutboxRow> three_rows() {
    write([](Connection& c) -> core::Status {
      for (const char* id : {"a", "b", "c"}) {
        const Json body = Json::object({{"resourceType", "Patient"}, {"id", id}});
        GW_CHECK(put_resource(c, {"Patient", id}, body, "clinic", kNow));
        GW_CHECK(queue_row(c, "his", "resource", core::cat("Patient/", id), 0, std::nullopt, kNow));
      }
      return {};
    });
    return claim("his").rows;
  }
  static std::string answers(std::initializer_list<const char*> responses) {
    std::string text = R"({"resourceType":"Bundle","type":"batch-response","entry":[)";
    for (const char* response : responses)
      text += core::cat(text.back() == '[' ? "" : ",", R"({"response":)", response, "}");
    return text + "]}";
  }
  static std::map<Delivery, int> counted(const std::vector<RowOutcome>& outcomes) {
    std::map<Delivery, int> counts;
    for (const RowOutcome& outcome : outcomes) ++counts[outcome.result];
    return counts;
  }
};

TEST_F(BundlesTest, SeveralResourcesGoInOneRequestAndEachHasItsOwnAnswer) {
  serve([](auto& connection, const auto& request) {
    if (!request.head.starts_with("POST")) return reply(connection, "404 Not Found", "");
    reply(connection, "200 OK",
          answers({R"({"status":"201 Created","etag":"W/\"4\""})",
                   R"({"status":"422","outcome":{"resourceType":"OperationOutcome",)"
                   R"("issue":[{"diagnostics":"no such code"}]}})",
                   R"({"status":"201","location":"Patient/c/_history/9"})"}));
  });
  fhir();
  const auto outcomes = deliver(three_rows());
  EXPECT_EQ(heads(), std::vector<std::string>{"POST /base/"});
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].remote_version, "4");
  EXPECT_EQ(outcomes[1].result, Delivery::refused);
  EXPECT_NE(outcomes[1].reason.find("no such code"), std::string::npos);
  EXPECT_EQ(outcomes[2].remote_version, "9");
  const auto abilities = uplink_->abilities();
  EXPECT_TRUE(abilities["batch"].boolean());
  EXPECT_TRUE(abilities["if_match"].boolean());
}

constexpr char kForbidden[] =
    R"({"resourceType":"OperationOutcome","issue":[{"code":"forbidden","diagnostics":"not yours"}]})";

TEST_F(BundlesTest, WhatThisClientMayNotSendHoldsNoOtherBack) {
  serve([](auto& connection, const auto& request) {
    if (!request.head.starts_with("POST")) return reply(connection, "404 Not Found", "");
    const std::string forbidden = core::cat(R"({"status":"403","outcome":)", kForbidden, "}");
    reply(connection, "200 OK",
          answers({R"({"status":"201","etag":"W/\"1\""})", forbidden.c_str(),
                   R"({"status":"403 Forbidden"})"}));
  });
  fhir();
  const auto outcomes = deliver(three_rows());
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].result, Delivery::delivered);
  EXPECT_EQ(outcomes[1].result, Delivery::failed);
  EXPECT_NE(outcomes[1].peers_words.find("not yours"), std::string::npos);
  EXPECT_EQ(outcomes[2].result, Delivery::failed);
}

TEST_F(BundlesTest, AServerThatForbidsEveryBatchIsNotAskedForEachHalfOfOne) {
  serve([](auto& connection, const auto&) { reply(connection, "403 Forbidden", kForbidden); });
  fhir();
  auto rows = three_rows();
  EXPECT_EQ(counted(deliver(rows))[Delivery::failed], 3);
  for (OutboxRow& row : rows) row.perhaps_sent = true;
  EXPECT_EQ(counted(deliver(rows))[Delivery::failed], 3);
  EXPECT_EQ(heads(), (std::vector<std::string>{"POST /base/", "POST /base/"}));
}

TEST_F(BundlesTest, WhatIsTooMuchAtOnceIsHalved) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT"))
      return reply(connection, "201 Created", "", "ETag: W/\"1\"\r\n");
    if (request.body.find("Patient/a") != std::string::npos ||
        request.body.find("Patient/c") == std::string::npos)
      return reply(connection, "413 Payload Too Large", "", "");
    reply(
        connection, "200 OK",
        answers({R"({"status":"201","etag":"W/\"1\""})", R"({"status":"201","etag":"W/\"1\""})"}));
  });
  fhir();
  EXPECT_EQ(counted(deliver(three_rows()))[Delivery::delivered], 3);
  EXPECT_EQ(heads(),
            (std::vector<std::string>{"POST /base/", "PUT /base/Patient/a", "POST /base/"}));
}

TEST_F(BundlesTest, AnAnswerThatIsNoneLeavesAllPerhapsSent) {
  serve([](auto& connection, const auto&) { reply(connection, "200 OK", "{}"); });
  fhir();
  EXPECT_EQ(counted(deliver(three_rows()))[Delivery::lost], 3);
}

TEST_F(BundlesTest, WhatWasPerhapsSentIsReadBackInOneRequest) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT"))
      return reply(connection, "201 Created", "", "ETag: W/\"1\"\r\n");
    EXPECT_EQ(request.body.find("PUT"), std::string::npos);
    std::string told =
        answers({R"({"status":"200"})", R"({"status":"404"})", R"({"status":"200"})"});
    for (const char* id : {"a", "c"}) {
      const auto at = told.find(R"({"response":{"status":"200"}})");
      told.insert(at + 1, core::cat(R"("resource":{"resourceType":"Patient","id":")", id,
                                    R"(","meta":{"versionId":"2"}},)"));
    }
    reply(connection, "200 OK", told);
  });
  fhir();
  auto rows = three_rows();
  for (OutboxRow& row : rows) row.perhaps_sent = true;
  const auto outcomes = deliver(rows);
  EXPECT_EQ(counted(outcomes)[Delivery::delivered], 3);
  EXPECT_EQ(std::ranges::count_if(outcomes, [](const auto& one) { return one.found_there; }), 2);
  EXPECT_EQ(heads(), (std::vector<std::string>{"POST /base/", "PUT /base/Patient/b"}));
}

}  // namespace
}  // namespace gateway::sync
