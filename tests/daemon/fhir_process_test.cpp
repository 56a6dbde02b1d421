// The local FHIR API of the daemon as it ships, over real TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base64.h"
#include "fhir_api.h"

namespace gateway::daemon {
namespace {

using core::cat;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST_F(FhirApi, KeepsEveryVersionOfAResource) {
  start();
  const FhirAnswered created = send("PUT", "/Patient/p1", kPatient);
  ASSERT_EQ(created.status, 201) << created.http.body;
  EXPECT_EQ(created.http.header("ETag"), "W/\"1\"");
  EXPECT_THAT(std::string(created.http.header("Location")),
              testing::EndsWith("/Patient/p1/_history/1"));
  const FhirAnswered read = send("GET", "/Patient/p1");
  EXPECT_EQ(read.status, 200);
  EXPECT_THAT(read.http.body, HasSubstr("\"valueDecimal\":1.50"));
  EXPECT_EQ(read.body["meta"]["versionId"].text(), "1");

  // What was read and not changed is no new version.
  EXPECT_EQ(send("PUT", "/Patient/p1", read.http.body).http.header("ETag"), "W/\"1\"");
  const std::string patch = R"([{"op":"add","path":"/gender","value":"female"}])";
  EXPECT_EQ(send("PATCH", "/Patient/p1", patch, {{"If-Match", "W/\"1\""}}).status, 200);
  const FhirAnswered stale = send("PATCH", "/Patient/p1", patch, {{"If-Match", "W/\"1\""}});
  EXPECT_EQ(stale.status, 412);
  EXPECT_EQ(stale.body["resourceType"].text(), "OperationOutcome");
  EXPECT_EQ(send("GET", "/Patient/p1", "", {{"If-None-Match", "W/\"2\""}}).status, 304);
  EXPECT_THAT(send("GET", "/Patient/p1/_history/1").http.body, testing::Not(HasSubstr("gender")));

  EXPECT_EQ(send("DELETE", "/Patient/p1").status, 204);
  EXPECT_EQ(send("GET", "/Patient/p1").status, 410);
  EXPECT_EQ(send("GET", "/Patient/p9").status, 404);
  const FhirAnswered history = send("GET", "/Patient/p1/_history?_count=2");
  ASSERT_EQ(history.body["entry"].size(), 2u) << history.http.body;
  EXPECT_EQ(history.body["entry"][std::size_t{0}]["request"]["method"].text(), "DELETE");
  EXPECT_EQ(history.body["link"][std::size_t{1}]["relation"].text(), "next");
  EXPECT_EQ(send("GET", "/_history").body["entry"].size(), 3u);
}

TEST_F(FhirApi, SearchesAndPages) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  for (int i = 0; i < 5; ++i) {
    const FhirAnswered made = send(
        "POST", "/Observation",
        cat(R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"},)"
            R"("effectiveDateTime":"2026-03-0)",
            i + 1, R"("})"),
        {{"Prefer", "return=minimal"}});
    ASSERT_EQ(made.status, 201);
    EXPECT_THAT(made.http.body, IsEmpty());
  }
  const FhirAnswered first = send(
      "GET",
      "/Observation?patient=p1&_sort=-date&_count=2&_include=Observation:subject&_total=accurate");
  ASSERT_EQ(first.body["entry"].size(), 3u) << first.http.body;
  EXPECT_EQ(first.body["total"].integer(), 5);
  EXPECT_EQ(first.body["entry"][std::size_t{0}]["resource"]["effectiveDateTime"].text(),
            "2026-03-05");
  EXPECT_EQ(first.body["entry"][std::size_t{2}]["search"]["mode"].text(), "include");
  const std::string next(first.body["link"][std::size_t{1}]["url"].text());
  const FhirAnswered second = send("GET", next.substr(next.find("/Observation?")));
  EXPECT_EQ(second.body["entry"][std::size_t{0}]["resource"]["effectiveDateTime"].text(),
            "2026-03-03");
  EXPECT_EQ(send("GET", "/Observation?colour=red", "", {{"Prefer", "handling=strict"}}).status,
            400);
  EXPECT_THAT(send("GET", "/Observation?colour=red").http.body, HasSubstr("ignored"));
  EXPECT_EQ(send("DELETE", "/Patient/p1").status, 409);
}

TEST_F(FhirApi, ATransactionIsDoneWholeOrNotAtAll) {
  start();
  const std::string good =
      R"({"resourceType":"Bundle","type":"transaction","entry":[)"
      R"({"fullUrl":"urn:uuid:0190a1b2-0000-7000-8000-000000000002","request":{"method":"POST","url":"Observation"},)"
      R"("resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},)"
      R"("subject":{"reference":"urn:uuid:0190a1b2-0000-7000-8000-000000000001"}}},)"
      R"({"fullUrl":"urn:uuid:0190a1b2-0000-7000-8000-000000000001","request":{"method":"POST","url":"Patient",)"
      R"("ifNoneExist":"identifier=urn:clinic|7"},"resource":{"resourceType":"Patient","identifier":[{"system":"urn:clinic","value":"7"}]}}]})";
  const FhirAnswered done = send("POST", "/", good);
  ASSERT_EQ(done.status, 200) << done.error << done.http.body;
  EXPECT_EQ(done.body["entry"][std::size_t{1}]["response"]["status"].text(), "201");
  const FhirAnswered again = send("POST", "/", good);
  EXPECT_EQ(again.body["entry"][std::size_t{1}]["response"]["status"].text(), "200");
  EXPECT_EQ(send("GET", "/Observation?patient.identifier=urn:clinic|7").body["entry"].size(), 2u);

  const std::string bad =
      R"({"resourceType":"Bundle","type":"TYPE","entry":[)"
      R"({"request":{"method":"POST","url":"Device"},"resource":{"resourceType":"Device"}},)"
      R"({"request":{"method":"POST","url":"Flag"},"resource":{"resourceType":"Flag"}}]})";
  const auto of_type = [&](const std::string& type) {
    std::string text = bad;
    return text.replace(text.find("TYPE"), 4, type);
  };
  const FhirAnswered refused = send("POST", "/", of_type("transaction"));
  EXPECT_EQ(refused.status, 422) << refused.http.body;
  EXPECT_THAT(refused.http.body, HasSubstr("entry 2"));
  EXPECT_EQ(send("GET", "/Device?_summary=count").body["total"].integer(), 0);
  const FhirAnswered batch = send("POST", "/", of_type("batch"));
  EXPECT_EQ(batch.body["entry"][std::size_t{0}]["response"]["status"].text(), "201");
  EXPECT_EQ(batch.body["entry"][std::size_t{1}]["response"]["status"].text(), "422");
}

TEST_F(FhirApi, ABundleHoldsAPatchAsABinary) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  const auto patched = [&](std::string_view type, std::string_view data, std::string_view tag) {
    return send("POST", "/",
                cat(R"({"resourceType":"Bundle","type":")", type,
                    R"(","entry":[{"request":{"method":"PATCH","url":"Patient/p1","ifMatch":"W/\")",
                    tag, R"(\""},"resource":{"resourceType":"Binary","contentType":)",
                    R"("application/json-patch+json","data":")", data, R"("}}]})"));
  };
  const std::string patch = core::to_base64(R"([{"op":"add","path":"/gender","value":"female"}])");
  const FhirAnswered done = patched("transaction", patch, "1");
  EXPECT_EQ(done.body["entry"][std::size_t{0}]["response"]["status"].text(), "200")
      << done.http.body;
  EXPECT_EQ(send("GET", "/Patient/p1").body["gender"].text(), "female");
  const FhirAnswered stale = patched("batch", patch, "1");
  EXPECT_EQ(stale.body["entry"][std::size_t{0}]["response"]["status"].text(), "412");
  EXPECT_EQ(patched("transaction", "no base64", "2").status, 400);
  EXPECT_EQ(patched("transaction", core::to_base64("{"), "2").status, 400);
}

TEST_F(FhirApi, LetsIn_WhoMayAndOnlyToWhatTheyMay) {
  start("\"system/Patient.cu\", \"system/Observation.rs\"");
  FhirTestClient nobody(options());
  const FhirAnswered unknown = nobody.send("GET", "/Patient/p1");
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(unknown.body["resourceType"].text(), "OperationOutcome");
  EXPECT_THAT(std::string(unknown.http.header("WWW-Authenticate")), StartsWith("Bearer"));
  nobody.use_token("wrong");
  EXPECT_EQ(nobody.send("GET", "/Patient/p1").status, 401);

  EXPECT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  EXPECT_EQ(send("GET", "/Patient/p1").status, 403);
  EXPECT_EQ(send("GET", "/Observation?patient=p1").status, 200);
  EXPECT_EQ(send("GET", "/Observation?patient.name=roe").status, 403);
  EXPECT_EQ(send("GET", "/_history").status, 403);

  const fakes::CertificateFiles tablet = ca_.issue({"tablet-7"});
  core::net::HttpClientOptions shown = options();
  shown.certificate_file = tablet.certificate;
  shown.key_file = tablet.key;
  FhirTestClient by_certificate(shown);
  EXPECT_EQ(by_certificate.send("GET", "/Patient/p1").status, 200);
  EXPECT_EQ(by_certificate.send("PUT", "/Patient/p1", kPatient).status, 403);
  // The right name under a stranger's signature.
  const fakes::TestCa stranger(certificates_, "stranger-ca");
  const fakes::CertificateFiles forged = stranger.issue({"tablet-7"});
  shown.certificate_file = forged.certificate;
  shown.key_file = forged.key;
  EXPECT_EQ(FhirTestClient(shown).send("GET", "/Patient/p1").status, 0);
  const auto is_noted = [&] {
    return daemon_.ask({"audit", "export"}).out.find("client:tablet") != std::string::npos;
  };
  EXPECT_TRUE(holds_within(20, is_noted));
}

/// A transaction that makes a Patient twice, unless one with that identifier is there.
std::string patient_twice() {
  std::string entries;
  for (const char* number : {"1", "2"}) {
    entries += cat(entries.empty() ? "" : ",",
                   R"({"fullUrl":"urn:uuid:0190a1b2-0000-7000-8000-00000000000)", number,
                   R"(","request":{"method":"POST","url":"Patient","ifNoneExist":)",
                   R"("identifier=urn:clinic|7"},"resource":)", kPatient, "}");
  }
  return cat(R"({"resourceType":"Bundle","type":"transaction","entry":[)", entries, "]}");
}

TEST_F(FhirApi, ATransactionDeletesInWhateverOrderItNamesThem) {
  start();
  const auto enter = [&] {
    ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status / 100, 2);
    for (const char* id : {"o1", "o2"}) {
      const std::string observation =
          cat(R"({"resourceType":"Observation","id":")", id,
              R"(","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}})");
      ASSERT_EQ(send("PUT", cat("/Observation/", id), observation).status / 100, 2);
    }
  };
  const auto transaction = [](const std::vector<std::string>& deleted) {
    std::string entries;
    for (const std::string& url : deleted)
      entries += cat(entries.empty() ? "" : ",", R"({"request":{"method":"DELETE","url":")", url,
                     R"("}})");
    return cat(R"({"resourceType":"Bundle","type":"transaction","entry":[)", entries, "]}");
  };
  enter();
  const FhirAnswered refused = send("POST", "/", transaction({"Patient/p1", "Observation/o1"}));
  EXPECT_EQ(refused.status, 409) << refused.http.body;
  EXPECT_THAT(refused.http.body, HasSubstr("entry 1"));
  EXPECT_EQ(send("GET", "/Observation/o1").status, 200) << "nothing of it was done";
  const FhirAnswered done =
      send("POST", "/", transaction({"Patient/p1", "Observation/o2", "Observation/o1"}));
  EXPECT_EQ(done.status, 200) << done.http.body;
  EXPECT_EQ(send("GET", "/Patient/p1").status, 410);
  EXPECT_EQ(send("GET", "/Observation/o2").status, 410);
  enter();
  EXPECT_EQ(
      send("POST", "/", transaction({"Observation/o1", "Patient/p1", "Observation/o2"})).status,
      200);
}

TEST_F(FhirApi, AConditionTellsNoMoreThanTheScopesDo) {
  // printf %s another-token | sha256sum
  const std::string hash = run_command({"sha256sum"}, "another-token").out.substr(0, 64);
  start("\"system/Observation.cruds\"",
        cat("[api_client.desk]\nscopes = [\"system/Patient.cruds\"]\ntoken_sha256 = \"", hash,
            "\"\n"));
  FhirTestClient desk(options());
  desk.use_token("another-token");
  const std::string observation =
      R"({"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},)"
      R"("subject":{"reference":"Patient/p1"}})";
  ASSERT_EQ(send("PUT", "/Observation/o1", observation).status, 201);
  EXPECT_EQ(send("PUT", "/Observation?patient.birthdate=1980-01-02", observation).status, 403);
  EXPECT_EQ(send("DELETE", "/Observation?patient.birthdate=1980-01-02").status, 403);
  // The same refusal, whether such a patient is there or not.
  EXPECT_EQ(send("POST", "/", patient_twice()).status, 403);
  ASSERT_EQ(desk.send("PUT", "/Patient/p1", kPatient).status, 201);
  EXPECT_EQ(send("POST", "/", patient_twice()).status, 403);
}

TEST_F(FhirApi, APatchShowsNothingToWhoMayNotRead) {
  start("\"system/Patient.cu\"");
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  const FhirAnswered patched =
      send("PATCH", "/Patient/p1", R"([{"op":"add","path":"/gender","value":"female"}])");
  EXPECT_EQ(patched.status, 200);
  EXPECT_THAT(patched.http.body, IsEmpty());
}

TEST_F(FhirApi, APatchWorksOnWhatTheClientHasRead) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  const FhirAnswered patched =
      send("PATCH", "/Patient/p1",
           R"([{"op":"test","path":"/meta/versionId","value":"1"},)"
           R"({"op":"add","path":"/meta/tag","value":[{"code":"x"}]},)"
           R"({"op":"test","path":"/extension/0/valueDecimal","value":1.5}])");
  ASSERT_EQ(patched.status, 200) << patched.http.body;
  EXPECT_EQ(patched.body["meta"]["versionId"].text(), "2");
  EXPECT_EQ(patched.body["meta"]["tag"].size(), 1u);
  ASSERT_EQ(send("DELETE", "/Patient/p1").status, 204);
  const std::string patch = R"([{"op":"add","path":"/gender","value":"female"}])";
  EXPECT_EQ(send("PATCH", "/Patient/p1", patch).status, 410);
  EXPECT_EQ(send("PATCH", "/Patient/p1", patch, {{"If-Match", "W/\"2\""}}).status, 410);
  EXPECT_EQ(send("PATCH", "/Patient/p9", patch).status, 404);
}

TEST_F(FhirApi, AConditionThatFitsNoneOverwritesNothing) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  const std::string other = R"({"resourceType":"Patient","id":"p1","birthDate":"1999-09-09"})";
  const FhirAnswered refused = send("PUT", "/Patient?identifier=urn:clinic|8", other);
  EXPECT_EQ(refused.status, 409) << refused.http.body;
  EXPECT_EQ(send("GET", "/Patient/p1").body["birthDate"].text(), "1980-01-02");
  EXPECT_EQ(send("PUT", "/Patient?identifier=urn:clinic|8", R"({"resourceType":"Patient"})",
                 {{"If-Match", "W/\"1\""}})
                .status,
            412);
}

TEST_F(FhirApi, ATransactionLeavesNoReferenceToWhatItDidNotMake) {
  start();
  const FhirAnswered refused = send("POST", "/", patient_twice());
  EXPECT_EQ(refused.status, 412) << refused.http.body;
  EXPECT_THAT(refused.http.body, HasSubstr("entry 2"));
  EXPECT_EQ(send("GET", "/Patient?_summary=count").body["total"].integer(), 0);
}

TEST_F(FhirApi, RefusesWhatItDoesNotSpeak) {
  start();
  EXPECT_EQ(send("GET", "/Patient/p1", "", {{"Accept", "application/fhir+xml"}}).status, 406);
  EXPECT_EQ(send("GET", "/Patient?_format=xml").status, 406);
  EXPECT_EQ(send("GET", "/Medicine/1").status, 404);
  EXPECT_EQ(send("DELETE", "/metadata").status, 405);
  EXPECT_EQ(send("PUT", "/Patient/p2", kPatient).status, 400);
  EXPECT_EQ(send("PUT", "/Patient/p1", "{").status, 400);
  EXPECT_EQ(send("POST", "/Observation", R"({"resourceType":"Observation"})").status, 422);
  EXPECT_EQ(send("POST", "/Patient", std::string(17u << 20, ' ')).status, 413);
  EXPECT_EQ(send("GET", "/Patient?name=" + std::string(20'000, 'x')).status, 431);
  const FhirAnswered packed = send("GET", "/metadata", "", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(packed.http.header("Content-Encoding"), "gzip");
}

TEST_F(FhirApi, SaysThatItIsLocked) {
  daemon_.write_passphrase("");
  daemon_.configure(api_config("\"system/*.cruds\""));
  daemon_.start();
  ASSERT_TRUE(holds_within(20, [&] { return send("GET", "/metadata").status == 200; }))
      << daemon_.log();
  const FhirAnswered locked = send("GET", "/Patient/p1");
  EXPECT_EQ(locked.status, 503);
  EXPECT_THAT(locked.http.body, HasSubstr("LOCKED"));
  EXPECT_FALSE(locked.http.header("Retry-After").empty());
}

TEST_F(FhirApi, WhatWasAnsweredIsThereAfterAKill) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  daemon_.kill_hard();
  daemon_.start();
  ASSERT_TRUE(holds_within(30, [&] { return send("GET", "/Patient/p1").status == 200; }))
      << daemon_.log();
}

/// The files below a folder that hold the text, also in their names.
std::vector<std::string> files_with(const std::string& folder, const std::string& text) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    if (bytes.find(text) != std::string::npos ||
        entry.path().string().find(text) != std::string::npos)
      found.push_back(entry.path());
  }
  return found;
}

TEST_F(FhirApi, LeavesNeitherTokensNorTextsOnTheDisk) {
  start();
  const std::string body =
      R"({"resourceType":"Patient","id":"p1","name":[{"family":"Quintanavilla"}]})";
  ASSERT_EQ(send("PUT", "/Patient/p1", body).status, 201);
  EXPECT_EQ(send("GET", "/Patient?family=Quintanavilla").status, 200);
  // What nobody may do is said in the log, and must not be quoted there.
  FhirTestClient stranger(options());
  stranger.use_token("a-token-nobody-gave-out");
  EXPECT_EQ(stranger.send("GET", "/Patient?family=Quintanavilla").status, 401);
  daemon_.kill_hard();
  for (const char* secret : {kToken, "a-token-nobody-gave-out", "Quintanavilla"})
    EXPECT_THAT(files_with(daemon_.folder(), secret), testing::IsEmpty()) << secret;
  // The look does see what is there.
  EXPECT_THAT(files_with(daemon_.folder(), token_hash()), testing::SizeIs(1));
}

}  // namespace
}  // namespace gateway::daemon
