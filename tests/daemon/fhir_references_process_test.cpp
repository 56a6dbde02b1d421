// What becomes of the references in what a client sends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base64.h"
#include "fhir_api.h"

namespace gateway::daemon {
namespace {

using core::cat;
using testing::HasSubstr;
using testing::StartsWith;

class FhirReferences : public FhirApi {
 protected:
  FhirAnswered transact(const std::string& entries) {
    return send("POST", "/",
                cat(R"({"resourceType":"Bundle","type":"transaction","entry":[)", entries, "]}"));
  }
  static std::string posted(const std::string& full_url, const std::string& type,
                            const std::string& members) {
    return cat(R"({"fullUrl":")", full_url, R"(","request":{"method":"POST","url":")", type,
               R"("},"resource":{"resourceType":")", type, R"(",)", members, "}}");
  }
  static std::string observation_of(const std::string& reference) {
    return cat(R"("status":"final","code":{"text":"x"},"subject":{"reference":")", reference,
               R"("})");
  }
  /// "Type/id" of what an entry made.
  static std::string made(const FhirAnswered& answered, std::size_t entry) {
    const std::string url(answered.body["entry"][entry]["response"]["location"].text());
    const auto history = url.find("/_history/");
    const auto id = url.rfind('/', history - 1);
    const auto type = url.rfind('/', id - 1);
    return history == url.npos ? url : url.substr(type + 1, history - type - 1);
  }
  std::string subject_of(const std::string& place) {
    return std::string(send("GET", cat("/", place)).body["subject"]["reference"].text());
  }
  std::string base() const { return cat("https://127.0.0.1:", port_, "/fhir"); }
};

TEST_F(FhirReferences, OfABundleNameWhatItsEntriesMake) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/123", R"({"resourceType":"Patient","id":"123"})").status, 201);
  const std::string urn = "urn:uuid:0190a1b2-0000-7000-8000-000000000001";
  const FhirAnswered done = transact(cat(
      posted(urn, "Patient",
             cat(R"("identifier":[{"system":"urn:ietf:rfc:3986","value":")", urn, R"("}],)",
                 R"("photo":[{"url":")", urn, R"("}])")),
      ",",
      posted("urn:uuid:0190a1b2-0000-7000-8000-000000000002", "Observation", observation_of(urn)),
      ",", posted("http://a/fhir/Patient/123", "Patient", R"("gender":"female")"), ",",
      posted("http://a/fhir/Observation/1", "Observation", observation_of("Patient/123")), ",",
      posted("http://b/fhir/Observation/1", "Observation", observation_of("Patient/123"))));
  ASSERT_EQ(done.status, 200) << done.http.body;
  const FhirAnswered patient = send("GET", cat("/", made(done, 0)));
  EXPECT_EQ(patient.body["identifier"][std::size_t{0}]["value"].text(), urn)
      << "an identifier is no reference";
  EXPECT_EQ(patient.body["photo"][std::size_t{0}]["url"].text(), made(done, 0));
  EXPECT_EQ(subject_of(made(done, 1)), made(done, 0));
  EXPECT_EQ(subject_of(made(done, 3)), made(done, 2)) << "relative to its own fullUrl";
  EXPECT_EQ(subject_of(made(done, 4)), "Patient/123") << "nothing of that base is in the Bundle";

  const std::string patch = core::to_base64(
      cat(R"([{"op":"replace","path":"/subject/reference","value":")", urn, R"("},)",
          R"({"op":"add","path":"/identifier","value":[{"value":")", urn, R"("}]}])"));
  const FhirAnswered patched = transact(
      cat(posted(urn, "Patient", R"("gender":"male")"), R"(,{"request":{"method":"PATCH",)",
          R"("url":")", made(done, 4), R"("},"resource":{"resourceType":"Binary",)",
          R"("contentType":"application/json-patch+json","data":")", patch, R"("}})"));
  ASSERT_EQ(patched.status, 200) << patched.http.body;
  EXPECT_EQ(subject_of(made(done, 4)), made(patched, 0));
  EXPECT_EQ(send("GET", cat("/", made(done, 4))).body["identifier"][std::size_t{0}]["value"].text(),
            urn);
}

TEST_F(FhirReferences, ByAConditionAreLookedUpWhenAllElseIsDone) {
  start();
  const std::string condition = "Patient?identifier=http://clinic/ids|999";
  const std::string named =
      R"("identifier":[{"system":"http://clinic/ids","value":"999"}],"gender":"male")";
  const std::string seen = posted("urn:uuid:0190a1b2-0000-7000-8000-000000000002", "Observation",
                                  observation_of(condition));
  const FhirAnswered nobody = transact(seen);
  EXPECT_EQ(nobody.status, 400) << nobody.http.body;
  EXPECT_THAT(nobody.http.body, HasSubstr("entry 1: a conditional reference to Patient fits none"));
  // Outside a transaction it stands for nothing, whatever its condition holds.
  EXPECT_EQ(send("POST", "/Observation",
                 cat(R"({"resourceType":"Observation",)", observation_of(condition), "}"))
                .status,
            422);
  const FhirAnswered done = transact(
      cat(seen, ",", posted("urn:uuid:0190a1b2-0000-7000-8000-000000000001", "Patient", named)));
  ASSERT_EQ(done.status, 200) << done.http.body;
  EXPECT_EQ(subject_of(made(done, 0)), made(done, 1));
  EXPECT_EQ(subject_of(made(transact(seen), 0)), made(done, 1)) << "who is held is found too";
  const FhirAnswered both = transact(
      cat(seen, ",", posted("urn:uuid:0190a1b2-0000-7000-8000-000000000001", "Patient", named)));
  EXPECT_EQ(both.status, 400) << both.http.body;
  EXPECT_THAT(both.http.body, HasSubstr("more than one"));
}

TEST_F(FhirReferences, ByOurOwnUrlAreFoundAndKeepWhatTheyName) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  const std::string own = cat(base(), "/Patient/p1");
  const std::string body =
      cat(R"({"resourceType":"Observation","id":"o1",)", observation_of(own), "}");
  ASSERT_EQ(send("PUT", "/Observation/o1", body).status, 201);
  EXPECT_EQ(subject_of("Observation/o1"), "Patient/p1");
  EXPECT_EQ(send("GET", "/Observation?patient=p1").body["entry"].size(), 1u);
  EXPECT_EQ(send("DELETE", "/Patient/p1").status, 409);
  const std::string patch =
      cat(R"([{"op":"replace","path":"/subject","value":{"reference":")", own, R"("}}])");
  EXPECT_EQ(send("PATCH", "/Observation/o1", patch).http.header("ETag"), "W/\"1\"")
      << "it says the same";
  const FhirAnswered posted_one = transact(
      posted("urn:uuid:0190a1b2-0000-7000-8000-000000000002", "Observation", observation_of(own)));
  EXPECT_EQ(subject_of(made(posted_one, 0)), "Patient/p1") << posted_one.http.body;
  // What another server calls so is its own.
  const std::string elsewhere = cat(R"({"resourceType":"Observation","id":"o2",)",
                                    observation_of("https://elsewhere/fhir/Patient/p1"), "}");
  ASSERT_EQ(send("PUT", "/Observation/o2", elsewhere).status, 201);
  EXPECT_THAT(subject_of("Observation/o2"), StartsWith("https://elsewhere/"));
}

TEST_F(FhirReferences, AConditionForACreateMayStandBehindItsUrl) {
  start();
  ASSERT_EQ(send("PUT", "/Patient/p1", kPatient).status, 201);
  const std::string condition = "identifier=urn:clinic|7";
  for (const std::string& before :
       {std::string(), std::string("?"), std::string("Patient?"), cat(base(), "/Patient?")}) {
    EXPECT_EQ(send("POST", "/Patient", R"({"resourceType":"Patient"})",
                   {{"If-None-Exist", before + condition}})
                  .status,
              200)
        << before;
    const FhirAnswered done =
        transact(cat(R"({"request":{"method":"POST","url":"Patient","ifNoneExist":")", before,
                     condition, R"("},"resource":{"resourceType":"Patient"}})"));
    EXPECT_EQ(made(done, 0), "Patient/p1") << before << done.http.body;
  }
}

}  // namespace
}  // namespace gateway::daemon
