// Audit rows as FHIR AuditEvents: what the profiles of IHE BALP require of each. The tables stand
// here a second time, as the profiles give them.
#include "sync/fhir/audit_event.h"

#include <gtest/gtest.h>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::Json;

crypto::AuditRow row(const std::string& action, const std::string& patient) {
  return {7,
          "2026-03-01T08:00:00.000Z",
          "user:nurse",
          action,
          "Observation/o1",
          patient,
          "10.1.2.3",
          "success"};
}

const Json& code_of(const Json& concept_) { return concept_["coding"][std::size_t{0}]["code"]; }

struct Shape {
  const char* action;
  const char* interaction;
  const char* letter;
  const char* profile;
  const char* client;
  const char* server;
};
constexpr Shape kShapes[] = {
    {"create", "create", "C", "Create", "110153", "110152"},
    {"read", "read", "R", "Read", "110152", "110153"},
    {"update", "update", "U", "Update", "110153", "110152"},
    {"delete", "delete", "D", "Delete", "110150", "custodian"},
};

void expect_agents(const Json& event, const Shape& shape) {
  ASSERT_EQ(event["agent"].size(), 2u);
  const Json& client = event["agent"][std::size_t{0}];
  const Json& server = event["agent"][std::size_t{1}];
  EXPECT_EQ(code_of(client["type"]).text(), shape.client);
  EXPECT_EQ(code_of(server["type"]).text(), shape.server);
  for (const Json* agent : {&client, &server}) {
    EXPECT_FALSE((*agent)["who"]["display"].text().empty());
    EXPECT_FALSE((*agent)["network"]["address"].text().empty());
    EXPECT_FALSE((*agent)["requestor"].is_null());
    EXPECT_TRUE((*agent)["media"].is_null());
  }
  EXPECT_EQ(client["network"]["type"].text(), "2");
  EXPECT_EQ(server["network"]["type"].text(), "1");
}

TEST(AuditEvent, HasWhatThePatientProfilesOfBalpRequire) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(shape.action);
    const Json event = audit_event(row(shape.action, "Patient/p1"), "clinic-1");
    EXPECT_EQ(event["meta"]["profile"][std::size_t{0}].text(),
              core::cat("https://profiles.ihe.net/ITI/BALP/StructureDefinition/"
                        "IHE.BasicAudit.Patient",
                        shape.profile));
    EXPECT_EQ(event["type"]["system"].text(),
              "http://terminology.hl7.org/CodeSystem/audit-event-type");
    EXPECT_EQ(event["type"]["code"].text(), "rest");
    ASSERT_EQ(event["subtype"].size(), 1u);
    EXPECT_EQ(event["subtype"][std::size_t{0}]["system"].text(),
              "http://hl7.org/fhir/restful-interaction");
    EXPECT_EQ(event["subtype"][std::size_t{0}]["code"].text(), shape.interaction);
    EXPECT_EQ(event["action"].text(), shape.letter);
    EXPECT_EQ(event["recorded"].text(), "2026-03-01T08:00:00.000Z");
    EXPECT_EQ(event["outcome"].text(), "0");
    expect_agents(event, shape);
    EXPECT_FALSE(event["source"]["observer"]["display"].text().empty());
    ASSERT_EQ(event["entity"].size(), 2u);
    const Json& patient = event["entity"][std::size_t{0}];
    EXPECT_EQ(patient["what"]["reference"].text(), "Patient/p1");
    EXPECT_EQ(patient["type"]["code"].text(), "1");
    EXPECT_EQ(patient["role"]["code"].text(), "1");
    const Json& data = event["entity"][std::size_t{1}];
    EXPECT_EQ(data["what"]["reference"].text(), "Observation/o1");
    EXPECT_EQ(data["type"]["code"].text(), "2");
    EXPECT_EQ(data["role"]["code"].text(), "4");
  }
}

TEST(AuditEvent, WithoutAPatientItIsOfThePlainProfileWithTheDataAlone) {
  const Json event = audit_event(row("update", ""), "clinic-1");
  EXPECT_TRUE(event["meta"]["profile"][std::size_t{0}].text().ends_with(".BasicAudit.Update"));
  ASSERT_EQ(event["entity"].size(), 1u);
  EXPECT_EQ(event["entity"][std::size_t{0}]["type"]["code"].text(), "2");
}

TEST(AuditEvent, AFailureSaysSoAndClaimsNoProfileOfASuccess) {
  for (const char* outcome : {"locked", "refused", "no-space", "corrupt", "failed",
                              "failed: forbidden", "failed: 3 objects sent for ARCHIVE"}) {
    auto failed = row("read", "Patient/p1");
    failed.outcome = outcome;
    const Json event = audit_event(failed, "clinic-1");
    EXPECT_EQ(event["outcome"].text(), "8") << outcome;
    EXPECT_TRUE(event["meta"].is_null()) << outcome;
  }
  for (const char* outcome : {"12 instances evicted", "version 3", "a person is asked"}) {
    auto done = row("evict", "");
    done.outcome = outcome;
    EXPECT_EQ(audit_event(done, "clinic-1")["outcome"].text(), "0") << outcome;
  }
}

TEST(AuditEvent, ASearchHasWhatTheQueryProfilesOfBalpRequire) {
  for (const char* patient : {"Patient/p1", ""}) {
    SCOPED_TRACE(patient);
    auto asked = row("search", patient);
    asked.resource = "Observation?patient=p1";
    const Json event = audit_event(asked, "clinic-1");
    EXPECT_EQ(event["meta"]["profile"][std::size_t{0}].text(),
              core::cat("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.",
                        *patient == '\0' ? "" : "Patient", "Query"));
    EXPECT_EQ(event["type"]["code"].text(), "rest");
    EXPECT_EQ(event["action"].text(), "E");
    EXPECT_EQ(code_of(event["agent"][std::size_t{0}]["type"]).text(), "110153");
    EXPECT_EQ(code_of(event["agent"][std::size_t{1}]["type"]).text(), "110152");
    const Json& last = event["entity"][event["entity"].size() - 1];
    EXPECT_EQ(last["role"]["code"].text(), "24");
    EXPECT_EQ(last["query"].text(), "T2JzZXJ2YXRpb24/cGF0aWVudD1wMQ==");
    EXPECT_EQ(event["entity"].size(), *patient == '\0' ? 1u : 2u);
  }
}

TEST(AuditEvent, AModalityThatFetchesIsTheDestinationAndOneThatAsksMakesAQuery) {
  auto fetched = row("retrieve", "Patient/p1");
  fetched.actor = "ae:STATION";
  const Json event = audit_event(fetched, "clinic-1");
  EXPECT_EQ(event["type"]["code"].text(), "110104");
  EXPECT_EQ(event["action"].text(), "R");
  EXPECT_EQ(code_of(event["agent"][std::size_t{0}]["type"]).text(), "110152");
  auto asked = row("query", "");
  asked.actor = "ae:STATION";
  EXPECT_EQ(audit_event(asked, "clinic-1")["type"]["code"].text(), "110112");
}

TEST(AuditEvent, ADicomTransferKeepsDicomsOwnType) {
  auto stored = row("create", "Patient/p1");
  stored.actor = "ae:CT1";
  const Json event = audit_event(stored, "clinic-1");
  EXPECT_EQ(event["type"]["code"].text(), "110104");
  EXPECT_TRUE(event["meta"].is_null());
}

}  // namespace
}  // namespace gateway::sync
