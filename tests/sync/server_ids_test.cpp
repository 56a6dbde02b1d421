// A server that keeps what is made under ids of its own, and circles of references.
#include "sync/server_ids.h"

#include <algorithm>
#include <atomic>

#include "sync/fhir_push_bundle.h"
#include "tests/sync/uplinks_fixture.h"

namespace gateway::sync {
namespace {

constexpr std::string_view kRefusedId =
    R"({"resourceType":"OperationOutcome","issue":[{"diagnostics":"ids are given here"}]})";

/// Refuses PUT as create; makes Type/77 of what is posted, and finds it by its mark.
class ServerIdsTest : public UplinksTest {
 protected:
  void serve_own_ids(Answer answer) {
    server_ = std::make_unique<fakes::TlsServer>(
        fakes::TlsServerOptions{}, [this, answer](fakes::ServedConnection& connection) {
          while (auto request = connection.read_request()) {
            if (answer_asking(connection, *request)) continue;
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back(*request);
            }
            answer(connection, *request);
          }
        });
  }
  /// The asking at first contact.
  bool answer_asking(fakes::ServedConnection& connection, const fakes::ServedRequest& request) {
    const std::string& head = request.head;
    if (head.starts_with("GET /base/metadata ")) {
      reply(connection, "200 OK",
            R"({"resourceType":"CapabilityStatement","rest":[{"interaction":)"
            R"([{"code":"transaction"}]}]})");
    } else if (head.starts_with("PUT /base/Basic/77 ")) {
      reply(connection, "412 Precondition Failed", "");
    } else if (head.starts_with("PUT /base/Basic/")) {
      reply(connection, "404 Not Found", kRefusedId);
    } else if (head.starts_with("POST /base/Basic ")) {
      reply(connection, creating_fails_ ? "500 Internal Server Error" : "201 Created", "",
            "Location: Basic/77/_history/1\r\n");
    } else if (head.starts_with("DELETE /base/Basic/77 ")) {
      reply(connection, "204 No Content", "");
    } else if (head.starts_with("POST /base/ ") &&
               request.body.find("Patient") == std::string::npos) {
      reply(connection, "400 Bad Request", kRefusedId);
    } else {
      return false;
    }
    return true;
  }
  void enter(const ResourceKey& key, std::string_view json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(json));
      GW_CHECK(put_resource(c, key, body, "clinic", kNow));
      GW_CHECK(queue_row(c, "his", "resource", key.text(), 0, std::nullopt, kNow));
      return {};
    });
  }
  void record_all(const std::vector<RowOutcome>& outcomes) {
    for (const RowOutcome& outcome : outcomes) {
      ASSERT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
      Verdict done;
      done.what = Verdict::What::done;
      done.number = outcome.number;
      done.remote_version = outcome.remote_version;
      done.local_version = outcome.local_version;
      record("his", done);
    }
  }
  std::string server_id(const std::string& id) {
    return text(core::cat("SELECT server_id FROM server_id WHERE id = '", id, "'"));
  }

  std::atomic<bool> creating_fails_ = false;
  const ResourceKey patient_{"Patient", "p9"};
  static constexpr std::string_view kEntered = R"({"resourceType":"Patient","id":"p9"})";
  static constexpr std::string_view kFound =
      R"({"resourceType":"Bundle","type":"searchset","entry":[{"resource":)"
      R"({"resourceType":"Patient","id":"77","meta":{"versionId":"4"},"identifier":)"
      R"([{"system":"urn:clinic-gateway:resource-id","value":"p9"}]}}]})";
};

TEST_F(ServerIdsTest, ANewResourceIsMadeByAConditionalCreateAndItsIdKept) {
  serve_own_ids([](auto& connection, const auto&) {
    reply(connection, "201 Created", "",
          "Location: https://his/base/Patient/77/_history/1\r\nETag: W/\"1\"\r\n");
  });
  fhir();
  enter(patient_, kEntered);
  record_all(deliver(claim("his").rows));
  EXPECT_EQ(heads(), std::vector<std::string>{"POST /base/Patient"});
  EXPECT_NE(last_request().head.find("identifier=urn%3Aclinic-gateway%3Aresource-id%7Cp9"),
            std::string::npos);
  EXPECT_EQ(last_request().body,
            R"({"resourceType":"Patient","identifier":[{"system":"urn:clinic-gateway:resource-id",)"
            R"("value":"p9"}]})");
  EXPECT_EQ(server_id("p9"), "77");
  EXPECT_FALSE(uplink_->abilities()["put_creates"].boolean());
}

TEST_F(ServerIdsTest, AnIdentifierEnteredWithoutAListAroundItIsMarkedAllTheSame) {
  serve_own_ids([](auto& connection, const auto&) {
    reply(connection, "201 Created", "", "Location: Patient/77\r\nETag: W/\"1\"\r\n");
  });
  fhir();
  enter(patient_, R"({"resourceType":"Patient","id":"p9","identifier":{"value":"1"}})");
  record_all(deliver(claim("his").rows));
  EXPECT_EQ(last_request().body,
            R"({"resourceType":"Patient","identifier":[{"value":"1"},{"system":)"
            R"("urn:clinic-gateway:resource-id","value":"p9"}]})");
}

TEST_F(ServerIdsTest, AServerThatFailedMeanwhileHasNotSaidWhoseIdsItTakes) {
  serve_own_ids([](auto& connection, const auto&) { reply(connection, "404 Not Found", ""); });
  fhir();
  creating_fails_ = true;
  EXPECT_FALSE(fakes::await(loop_, uplink_->probe()).ok());
  creating_fails_ = false;
  const auto told = fakes::await(loop_, uplink_->probe());
  ASSERT_TRUE(told.ok());
  EXPECT_FALSE((*told)["put_creates"].is_null());
}

TEST_F(ServerIdsTest, WhatIsSentAfterwardsGoesByTheServersIds) {
  serve_own_ids([](auto& connection, const auto&) {
    reply(connection, "201 Created", "",
          "Location: ServiceRequest/88/_history/1\r\nETag: W/\"1\"\r\n");
  });
  fhir();
  enter(patient_, kEntered);
  agree(claim("his").rows[0], "1", 1);
  write([&](Connection& c) -> core::Status {
    GW_CHECK(c.run("DELETE FROM outbox"));
    return put_server_id(c, "his", patient_, "77");
  });
  enter(patient_, R"({"resourceType":"Patient","id":"p9","telecom":[{"value":"1"}]})");
  enter({"ServiceRequest", "o9"},
        R"({"resourceType":"ServiceRequest","id":"o9","subject":{"reference":"Patient/p9"}})");
  ASSERT_EQ(deliver(claim("his").rows).size(), 2u);
  EXPECT_EQ(heads(),
            (std::vector<std::string>{"PUT /base/Patient/77", "POST /base/ServiceRequest"}));
  EXPECT_NE(last_request().body.find(R"("reference":"Patient/77")"), std::string::npos);
  EXPECT_EQ(server_id("o9"), "88");
}

TEST_F(ServerIdsTest, WhatWasMadeAndNotAnsweredIsFoundByItsMark) {
  serve_own_ids([](auto& connection, const auto&) { reply(connection, "200 OK", kFound); });
  fhir();
  enter(patient_, kEntered);
  auto rows = claim("his").rows;
  rows[0].perhaps_sent = true;
  const auto outcomes = deliver(rows);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].result, Delivery::delivered) << outcomes[0].reason;
  EXPECT_TRUE(outcomes[0].found_there);
  EXPECT_EQ(outcomes[0].remote_version, "4");
  EXPECT_EQ(heads(), std::vector<std::string>{
                         "GET /base/Patient?identifier=urn%3Aclinic-gateway%3Aresource-id%7Cp9"});
  EXPECT_EQ(server_id("p9"), "77");
}

TEST_F(ServerIdsTest, WhatAnAttemptMadeUnderOurIdIsFoundByAServerOfItsOwnIdsToo) {
  serve_own_ids([](auto& connection, const auto& request) {
    if (request.head.starts_with("GET /base/Patient?"))
      return reply(connection, "200 OK", R"({"resourceType":"Bundle","type":"searchset"})");
    if (request.head.starts_with("GET /base/Patient/p9 "))
      return reply(connection, "200 OK", kEntered, "ETag: W/\"3\"\r\n");
    reply(connection, "201 Created", "", "Location: Patient/78\r\nETag: W/\"1\"\r\n");
  });
  fhir();
  enter(patient_, kEntered);
  auto rows = claim("his").rows;
  rows[0].perhaps_sent = true;
  const auto outcome = deliver(rows)[0];
  EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_EQ(outcome.remote_version, "3");
  EXPECT_EQ(server_id("p9"), "p9");
}

TEST_F(ServerIdsTest, ASearchThatFindsWhatItWasNotAskedForFindsNothing) {
  serve_own_ids([](auto& connection, const auto& request) {
    if (request.head.starts_with("POST"))
      return reply(connection, "201 Created", "", "Location: Patient/78\r\nETag: W/\"1\"\r\n");
    reply(
        connection, "200 OK",
        R"({"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"5"}}]})");
  });
  fhir();
  enter(patient_, kEntered);
  auto rows = claim("his").rows;
  rows[0].perhaps_sent = true;
  EXPECT_EQ(deliver(rows)[0].result, Delivery::delivered);
  EXPECT_EQ(server_id("p9"), "78");
}

TEST_F(ServerIdsTest, WhatIsPulledIsKnownByItsMarkAndRefersToWhatIsHere) {
  serve_own_ids([](auto& connection, const auto& request) {
    if (request.head.starts_with("GET /base/Patient?")) return reply(connection, "200 OK", kFound);
    reply(connection, "200 OK",
          R"({"resourceType":"Bundle","entry":[{"resource":{"resourceType":"ServiceRequest",)"
          R"("id":"5","meta":{"versionId":"1"},"subject":{"reference":"Patient/77"}}}]})");
  });
  fhir({"Patient", "ServiceRequest"});
  write([&](Connection& c) -> core::Status {
    GW_TRY(const Json body, Json::parse(kEntered));
    return put_resource(c, patient_, body, "clinic", kNow).ok()
               ? core::Status()
               : core::Error(core::Code::internal, "put");
  });
  EXPECT_TRUE(pull_all().reached);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Patient'"), 1);
  EXPECT_EQ(server_id("p9"), "77");
  EXPECT_EQ(text("SELECT target FROM search_reference WHERE type = 'ServiceRequest'"),
            "Patient/p9");
}

TEST_F(ServerIdsTest, WhatMayReferToACreationOfOursWaitsUntilThatHasAName) {
  enter(patient_, kEntered);
  (void)claim("his");
  bool is_early = false;
  write([&](Connection& c) -> core::Status {
    GW_TRY(const Json order, Json::parse(R"({"resourceType":"ServiceRequest","id":"5",)"
                                         R"("subject":{"reference":"Patient/77"}})"));
    GW_TRY(is_early, refers_to_unnamed(c, "his", order));
    GW_CHECK(put_server_id(c, "his", patient_, "77"));
    GW_TRY(const bool still, refers_to_unnamed(c, "his", order));
    EXPECT_FALSE(still);
    return {};
  });
  EXPECT_TRUE(is_early);
}

class CirclesTest : public ServerIdsTest {
 protected:
  std::vector<OutboxRow> circle() {
    enter({"Patient", "a"},
          R"({"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/b"}}]})");
    enter({"Patient", "b"},
          R"({"resourceType":"Patient","id":"b","link":[{"other":{"reference":"Patient/c"}}]})");
    enter({"Patient", "c"},
          R"({"resourceType":"Patient","id":"c","link":[{"other":{"reference":"Patient/a"}}]})");
    return claim("his", 1).rows;
  }
};

TEST_F(CirclesTest, WhatRefersToEachOtherIsClaimedTogetherAfterWhatItNeeds) {
  enter({"Patient", "b"},
        R"({"resourceType":"Patient","id":"b","link":[{"other":{"reference":)"
        R"("Patient/c"}}],"managingOrganization":{"reference":"Organization/o"}})");
  enter({"Patient", "c"},
        R"({"resourceType":"Patient","id":"c","link":[{"other":{"reference":"Patient/b"}}]})");
  enter({"Organization", "o"}, R"({"resourceType":"Organization","id":"o"})");
  enter({"Patient", "d"},
        R"({"resourceType":"Patient","id":"d","link":[{"other":{"reference":"Patient/c"}}]})");
  const auto first = claim("his").rows;
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].subject, "Organization/o");
  EXPECT_EQ(first[0].circle, 0);
  agree(first[0], "1", 1);
  write([](Connection& c) { return c.run("DELETE FROM outbox WHERE state = 'sending'"); });
  const auto both = claim("his", 1).rows;
  ASSERT_EQ(both.size(), 2u);
  EXPECT_NE(both[0].circle, 0);
  EXPECT_EQ(both[0].circle, both[1].circle);
}

TEST_F(CirclesTest, TheyGoInOneTransactionWithPlaceholdersForTheServersIds) {
  serve_own_ids([](auto& connection, const auto&) {
    std::string entries;
    for (const char* id : {"71", "72", "73"})
      entries += core::cat(entries.empty() ? "" : ",", R"({"response":{"status":"201","etag":)",
                           R"("W/\"1\"","location":"Patient/)", id, R"(/_history/1"}})");
    reply(connection, "200 OK", core::cat(R"({"resourceType":"Bundle","entry":[)", entries, "]}"));
  });
  fhir();
  const auto rows = circle();
  ASSERT_EQ(rows.size(), 3u);
  record_all(deliver(rows));
  EXPECT_EQ(heads(), std::vector<std::string>{"POST /base/"});
  const auto sent = Json::parse(last_request().body);
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ((*sent)["type"].text(), "transaction");
  std::vector<std::string> names;
  std::vector<std::string> targets;
  for (const Json& entry : (*sent)["entry"].items()) {
    names.emplace_back(entry["fullUrl"].text());
    targets.emplace_back(entry["resource"]["link"][std::size_t{0}]["other"]["reference"].text());
  }
  EXPECT_TRUE(names[0].starts_with("urn:uuid:"));
  std::ranges::sort(names);
  std::ranges::sort(targets);
  EXPECT_EQ(names, targets);
  EXPECT_EQ(count("SELECT count(*) FROM server_id"), 3);
  EXPECT_EQ(count("SELECT count(*) FROM outbox"), 0);
}

TEST_F(CirclesTest, AfterALostAnswerTheyAreComparedOnceTheServersIdOfEachIsKnown) {
  serve_own_ids([](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT"))
      return reply(connection, "200 OK", "", "ETag: W/\"2\"\r\n");
    const auto bar = request.head.find("%7C");
    if (bar == std::string::npos) return reply(connection, "404 Not Found", "{}");
    const char id = request.head[bar + 3];
    const auto there = [](char ours) { return core::cat("Patient/7", ours); };
    reply(connection, "200 OK",
          core::cat(R"({"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient",)",
                    R"("id":"7)", id, R"(","meta":{"versionId":"1"},"identifier":[{"system":)",
                    R"("urn:clinic-gateway:resource-id","value":")", id, R"("}],"link":[{"other":)",
                    R"({"reference":")", there(id == 'c' ? 'a' : static_cast<char>(id + 1)),
                    R"("}}]}}]})"));
  });
  fhir();
  auto rows = circle();
  for (OutboxRow& row : rows) row.perhaps_sent = true;
  write([](Connection& c) -> core::Status {
    GW_TRY(const Json edited,
           Json::parse(R"({"resourceType":"Patient","id":"a","telecom":[{"value":"1"}],)"
                       R"("link":[{"other":{"reference":"Patient/b"}}]})"));
    return put_resource(c, {"Patient", "a"}, edited, "clinic", kNow).ok()
               ? core::Status()
               : core::Error(core::Code::internal, "put");
  });
  record_all(deliver(rows));
  EXPECT_EQ(heads().back(), "PUT /base/Patient/7a");
  EXPECT_NE(last_request().body.find(R"("reference":"Patient/7b")"), std::string::npos);
  EXPECT_EQ(std::ranges::count_if(heads(), [](const auto& h) { return h.starts_with("PUT"); }), 1);
  EXPECT_EQ(count("SELECT count(*) FROM review"), 0);
}

TEST_F(CirclesTest, WhereTheServerKnowsNoTransactionTheyAreParkedWithTheReason) {
  serve([](auto& connection, const auto&) { reply(connection, "201 Created", ""); });
  takes_batch_ = true;
  Bundling bundling;
  bundling.takes_transaction = false;
  FhirEndpoint endpoint(client());
  const Pushing with{endpoint, *held_, core::system_clock(), "his"};
  const auto rows = circle();
  const auto outcomes = fakes::await(loop_, push_rows(with, bundling, rows));
  ASSERT_EQ(outcomes.size(), 3u);
  for (const RowOutcome& outcome : outcomes) {
    EXPECT_EQ(outcome.result, Delivery::refused);
    EXPECT_NE(outcome.reason.find("takes no transaction"), std::string::npos);
  }
  EXPECT_TRUE(heads().empty());
  endpoint.close();
}

TEST_F(CirclesTest, OneOfThemThatCouldNotBeReadBackHoldsTheOthers) {
  serve([](auto& connection, const auto& request) {
    if (request.head.find("Patient/a") != std::string::npos)
      return reply(connection, "500 Internal Server Error", "{}");
    reply(connection, "404 Not Found", R"({"resourceType":"OperationOutcome"})");
  });
  Bundling bundling;
  FhirEndpoint endpoint(client());
  const Pushing with{endpoint, *held_, core::system_clock(), "his"};
  auto rows = circle();
  for (OutboxRow& row : rows) row.perhaps_sent = true;
  const auto outcomes = fakes::await(loop_, push_rows(with, bundling, rows));
  ASSERT_EQ(outcomes.size(), 3u);
  for (const RowOutcome& outcome : outcomes) EXPECT_EQ(outcome.result, Delivery::failed);
  for (const std::string& head : heads()) EXPECT_TRUE(head.starts_with("GET"));
  endpoint.close();
}

using UnguardedTest = UplinksTest;

TEST_F(UnguardedTest, AServerThatIgnoresIfMatchIsReadBeforeItIsWritten) {
  Json theirs;
  std::string written;
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("GET")) return reply(connection, "200 OK", theirs.dump());
    written = request.body;
    reply(connection, "200 OK", "", "ETag: W/\"10\"\r\n");
  });
  const OutboxRow row = patient_row();
  agree(row, "7", 1);
  theirs = *Json::parse(text("SELECT body FROM resource_version WHERE type = 'Patient'"));
  theirs.set("meta", Json::object({{"versionId", "9"}}));
  theirs.set("maritalStatus", Json::object({{"text", "married"}}));
  change(row);
  Bundling bundling;
  FhirEndpoint endpoint(client());
  const Pushing with{endpoint,       *held_,   core::system_clock(), "his", Known::yes,
                     usual_policy(), Known::no};
  const auto outcomes = fakes::await(loop_, push_rows(with, bundling, {row}));
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].result, Delivery::delivered) << outcomes[0].reason;
  EXPECT_EQ((*Json::parse(written))["maritalStatus"]["text"].text(), "married");
  EXPECT_EQ((*Json::parse(written))["language"].text(), "es");
  endpoint.close();
}

}  // namespace
}  // namespace gateway::sync
