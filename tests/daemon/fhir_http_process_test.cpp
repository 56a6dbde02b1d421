// What HTTP promises, of the local FHIR API.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "core/civil_time.h"
#include "core/gzip.h"
#include "fhir_api.h"
#include "tests/fakes/tls_client.h"

namespace gateway::daemon {
namespace {

using core::cat;
using testing::HasSubstr;
using testing::IsEmpty;

bool is_outcome(const FhirAnswered& answered) {
  return answered.body["resourceType"].text() == "OperationOutcome";
}

// A gateway below a hub moves on by it, and finds deletions by it.
bool tells_the_time(const FhirAnswered& answered) {
  const auto said = core::parse_http_date(answered.http.header("Date"));
  const auto now = std::chrono::system_clock::now();
  return said && *said <= now && now - *said < std::chrono::minutes(1);
}

TEST_F(FhirApi, EveryAnswerTellsTheTimeAndEveryErrorIsAnOutcome) {
  start();
  EXPECT_TRUE(tells_the_time(send("GET", "/Patient")));
  EXPECT_TRUE(tells_the_time(send("PUT", "/Patient/p1", kPatient)));
  EXPECT_TRUE(tells_the_time(send("DELETE", "/Patient/p1")));
  const FhirAnswered large = send("POST", "/Patient", std::string(17u << 20, ' '));
  EXPECT_EQ(large.status, 413);
  EXPECT_TRUE(is_outcome(large)) << large.http.body;
  EXPECT_TRUE(tells_the_time(large));
  const FhirAnswered long_head = send("GET", "/Patient?name=" + std::string(20'000, 'x'));
  EXPECT_EQ(long_head.status, 431);
  EXPECT_TRUE(is_outcome(long_head)) << long_head.http.body;
  fakes::TlsClient stranger(port_, ca_.file());
  ASSERT_TRUE(stranger.say("good morning\r\n\r\n"));
  const std::string heard = stranger.hear("}]}");
  EXPECT_THAT(heard, HasSubstr("400 Bad Request"));
  EXPECT_THAT(heard, HasSubstr("OperationOutcome"));

  const core::net::Headers packed = {{"Content-Encoding", "gzip"}};
  const FhirAnswered damaged = send("POST", "/Patient", "no gzip", packed);
  EXPECT_EQ(damaged.status, 400);
  EXPECT_TRUE(is_outcome(damaged));
  EXPECT_EQ(send("POST", "/Patient", core::gzip(std::string(17u << 20, ' ')), packed).status, 413);
}

TEST_F(FhirApi, SaysWhichMethodsAPlaceAnswers) {
  start();
  const auto allowed = [&](const std::string& method, const std::string& target) {
    const FhirAnswered refused = send(method, target, method == "POST" ? kPatient : "");
    EXPECT_EQ(refused.status, 405) << target;
    return std::string(refused.http.header("Allow"));
  };
  EXPECT_EQ(allowed("DELETE", "/metadata"), "GET, HEAD");
  EXPECT_EQ(allowed("POST", "/Patient/p1"), "GET, HEAD, PUT, PATCH, DELETE");
  EXPECT_EQ(allowed("GET", "/Patient/_search"), "POST");
  EXPECT_EQ(allowed("DELETE", "/Patient/p1/_history"), "GET, HEAD");
}

TEST_F(FhirApi, AHeadIsTheHeadOfTheGet) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  for (const char* target : {"/Patient/p1", "/Patient", "/metadata"}) {
    const FhirAnswered whole = send("GET", target);
    const FhirAnswered head = send("HEAD", target);
    EXPECT_EQ(head.status, 200) << target << head.error;
    EXPECT_THAT(head.http.body, IsEmpty());
    EXPECT_EQ(head.http.header("Content-Length"), cat(whole.http.body.size())) << target;
    EXPECT_EQ(head.http.header("ETag"), whole.http.header("ETag")) << target;
  }
}

TEST_F(FhirApi, TagsMayBeAListOrAny) {
  start();
  EXPECT_EQ(send("PUT", "/Patient/p1", kPatient, {{"If-Match", "*"}}).status, 412);
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  EXPECT_EQ(send("PUT", "/Patient/p1", kPatient, {{"If-Match", "*"}}).status, 200);
  EXPECT_EQ(send("PUT", "/Patient/p1", kPatient, {{"If-Match", "W/\"7\", W/\"1\""}}).status, 200);
  EXPECT_EQ(send("PUT", "/Patient/p1", kPatient, {{"If-Match", "W/\"7\""}}).status, 412);
  EXPECT_EQ(send("PUT", "/Patient/p1", kPatient, {{"If-Match", "soon"}}).status, 400);
  EXPECT_EQ(send("PUT", "/Patient/p1", kPatient, {{"If-None-Match", "*"}}).status, 412);
  EXPECT_EQ(send("GET", "/Patient/p1", "", {{"If-None-Match", "*"}}).status, 304);
  EXPECT_EQ(send("GET", "/Patient/p1", "", {{"If-None-Match", "W/\"7\", \"1\""}}).status, 304);
  EXPECT_EQ(send("GET", "/Patient/p1", "", {{"If-None-Match", "W/\"7\""}}).status, 200);
}

TEST_F(FhirApi, WhatIsPreferredOfABundleIsPreferredOfItsEntries) {
  start();
  const auto asked = [&](const std::string& type, const std::string& prefer) {
    const core::net::Headers headers =
        prefer.empty() ? core::net::Headers() : core::net::Headers{{"Prefer", prefer}};
    return send("POST", "/",
                cat(R"({"resourceType":"Bundle","type":")", type,
                    R"(","entry":[{"request":{"method":"PUT","url":"Patient/p1"},"resource":)",
                    kPatient, R"(},{"request":{"method":"GET","url":"Patient?colour=red"}}]})"),
                headers);
  };
  const auto first = [](const FhirAnswered& answered) {
    return answered.body["entry"][std::size_t{0}];
  };
  for (const char* type : {"batch", "transaction"}) {
    EXPECT_TRUE(first(asked(type, ""))["resource"].is_null()) << type;
    EXPECT_EQ(first(asked(type, "return=representation"))["resource"]["id"].text(), "p1") << type;
    EXPECT_THAT(first(asked(type, "return=OperationOutcome"))["response"].dump(),
                HasSubstr("OperationOutcome"))
        << type;
  }
  const FhirAnswered strict = asked("batch", "handling=strict");
  EXPECT_EQ(strict.body["entry"][std::size_t{1}]["response"]["status"].text(), "400");
  const std::string updated(send("GET", "/Patient/p1").body["meta"]["lastUpdated"].text());
  const FhirAnswered since =
      send("POST", "/",
           cat(R"({"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET",)",
               R"("url":"Patient/p1","ifModifiedSince":")", updated, R"("}}]})"));
  EXPECT_EQ(first(since)["response"]["status"].text(), "304") << since.http.body;
}

TEST_F(FhirApi, ADayThatIsAskedForIsTheSites) {
  daemon_.configure_site("timezone = \"Africa/Blantyre\"\n");
  start();
  const std::string night =
      R"({"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},)"
      R"("effectiveDateTime":"2026-03-04T23:30:00Z"})";
  ASSERT_EQ(send("PUT", "/Observation/o1", night).status, 201);
  EXPECT_EQ(send("GET", "/Observation?date=2026-03-05").body["entry"].size(), 1u);
  EXPECT_EQ(send("GET", "/Observation?date=2026-03-04").body["entry"].size(), 0u);
}

}  // namespace
}  // namespace gateway::daemon
