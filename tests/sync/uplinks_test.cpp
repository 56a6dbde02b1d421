// The uplinks against a scripted server that does what real ones do on their bad days; real peers
// are in tests/integration.
#include "sync/bearer_client.h"
#include "sync/pull_state.h"
#include "sync/review.h"
#include "tests/sync/uplinks_fixture.h"

namespace gateway::sync {
namespace {

TEST_F(UplinksTest, AResourceIsCreatedUnderOurOwnIdAndItsVersionKept) {
  serve([](auto& connection, const auto&) {
    reply(connection, "201 Created", "", "ETag: W/\"7\"\r\n");
  });
  fhir();
  const OutboxRow row = patient_row();
  const auto outcomes = deliver({row});
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].result, Delivery::delivered) << outcomes[0].reason;
  EXPECT_EQ(outcomes[0].remote_version, "7");
  EXPECT_EQ(heads(), std::vector<std::string>{core::cat("PUT /base/", row.subject)});
  EXPECT_EQ(last_request().head.find("If-Match"), std::string::npos);
  // A copy of it that arrives late must not undo what was changed since.
  EXPECT_NE(last_request().head.find("If-None-Match: *"), std::string::npos);
}

TEST_F(UplinksTest, AnUpdateNamesTheVersionLastAgreedOn) {
  serve(
      [](auto& connection, const auto&) { reply(connection, "200 OK", "", "ETag: W/\"8\"\r\n"); });
  fhir();
  const OutboxRow row = patient_row();
  agree(row, "7", 1);
  change(row);
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_NE(last_request().head.find("If-Match: W/\"7\""), std::string::npos);
}

TEST_F(UplinksTest, AfterALostAnswerTheResourceIsReadBackAndNotSentAgain) {
  std::string stored;
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT")) {
      stored = request.body;
      connection.reset_on_close();
      connection.wait_for_peer_to_close();
      return;
    }
    auto resource = *Json::parse(stored);
    resource.set("meta", Json::object({{"versionId", "1"}}));
    reply(connection, "200 OK", resource.dump());
  });
  // The script waits for us to give up; a short idle time-out does.
  core::net::HttpClientOptions options;
  options.url = core::cat("http://127.0.0.1:", server_->port(), "/base");
  options.plain_allowed = true;
  options.idle_timeout = core::Milliseconds(300);
  uplink_ = make_fhir_uplink({"his", core::Milliseconds(1'000), {}},
                             *core::net::HttpClient::create(loop_.get_executor(), options), held_,
                             core::system_clock());
  OutboxRow row = patient_row();
  EXPECT_EQ(deliver({row})[0].result, Delivery::lost);
  row.perhaps_sent = true;
  const auto outcome = deliver({row})[0];
  EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_TRUE(outcome.found_there);
  EXPECT_EQ(outcome.remote_version, "1");
  EXPECT_EQ(heads().size(), 2u);
}

TEST_F(UplinksTest, WhatTheHospitalChangedMeanwhileIsMergedAndNeverOverwritten) {
  Json theirs;
  std::string merged;
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("GET")) {
      reply(connection, "200 OK", theirs.dump());
    } else if (request.head.find("If-Match: W/\"9\"") == std::string::npos) {
      reply(connection, "412 Precondition Failed", R"({"resourceType":"OperationOutcome"})");
    } else {
      merged = request.body;
      reply(connection, "200 OK", "", "ETag: W/\"10\"\r\n");
    }
  });
  fhir();
  const OutboxRow row = patient_row();
  agree(row, "7", 1);
  theirs = *Json::parse(text("SELECT body FROM resource_version WHERE type = 'Patient'"));
  theirs.set("meta", Json::object({{"versionId", "9"}}));
  theirs.set("maritalStatus", Json::object({{"text", "married"}}));
  change(row);
  const auto outcome = deliver({row})[0];
  EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_EQ(outcome.remote_version, "10");
  EXPECT_EQ((*Json::parse(merged))["maritalStatus"]["text"].text(), "married");
  EXPECT_EQ(heads().size(), 3u);
  EXPECT_EQ(text("SELECT outcome FROM audit WHERE action = 'merge'"), "merged");
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Provenance'"), 1);
}

TEST_F(UplinksTest, AnOrderTheHospitalRevokedLeavesTheWorklistWithTheMergeThatTellsOfIt) {
  pull(kPatient);
  pull(kOrder);
  ASSERT_EQ(worklist().size(), 1u);
  write([](Connection& c) -> core::Status {
    const ResourceKey order{"ServiceRequest", "s1"};
    GW_TRY(auto held, read_resource(c, order));
    held->body.set("note", Json::array({Json::object({{"text", "in a wheelchair"}})}));
    GW_CHECK(put_resource(c, order, held->body, "clinic", kNow));
    GW_CHECK(queue_row(c, "his", "resource", order.text(), 0, std::nullopt, kNow));
    return {};
  });
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("GET")) {
      Json theirs = *Json::parse(kOrder);
      theirs.set("status", "revoked");
      theirs.set("meta", Json::object({{"versionId", "2"}}));
      return reply(connection, "200 OK", theirs.dump());
    }
    if (request.head.find("If-Match: W/\"2\"") != std::string::npos)
      return reply(connection, "200 OK", "", "ETag: W/\"3\"\r\n");
    reply(connection, "412 Precondition Failed", R"({"resourceType":"OperationOutcome"})");
  });
  fhir();
  const RowOutcome outcome = deliver(claim("his").rows)[0];
  EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_TRUE(worklist().empty());
}

TEST_F(UplinksTest, AnEditOfTheIdentityIsProposedAndGoesOutOnlyWhenAPersonSaysSo) {
  Json there;
  int puts = 0;
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("GET")) return reply(connection, "200 OK", there.dump());
    there = *Json::parse(request.body);
    there.set("meta", Json::object({{"versionId", std::to_string(++puts)}}));
    reply(connection, "200 OK", "", core::cat("ETag: W/\"", puts, "\"\r\n"));
  });
  fhir();
  const OutboxRow row = patient_row();
  agree(row, "0", 1);
  const auto set = [&](std::string_view member, std::string_view value) {
    write([&](Connection& c) -> core::Status {
      const auto key = *parse_reference(row.subject);
      GW_TRY(auto held, read_resource(c, key));
      held->body.set(member, value);
      GW_TRY([[maybe_unused]] const auto version, put_resource(c, key, held->body, "clinic", kNow));
      return {};
    });
  };
  const auto shown = [&] {
    return *Json::parse(
        text("SELECT body FROM resource_version v JOIN resource r"
             " USING (type, id, version) WHERE r.type = 'Patient'"));
  };
  there = shown();
  there.set("meta", Json::object({{"versionId", "0"}}));
  set("birthDate", "1980-02-01");
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_EQ(puts, 0);
  EXPECT_EQ(shown()["birthDate"].text(), "1980-01-02");
  const auto number = count("SELECT number FROM review WHERE state = 'open'");
  ASSERT_GT(number, 0);

  // What else was changed goes out beside it.
  const auto deliver_it = [&] {
    const RowOutcome outcome = deliver({row})[0];
    EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
    agree(row, outcome.remote_version, outcome.local_version);
  };
  set("birthDate", "1980-03-01");
  set("language", "es");
  deliver_it();
  EXPECT_EQ(puts, 1);
  EXPECT_EQ(there["language"].text(), "es");
  EXPECT_EQ(there["birthDate"].text(), "1980-01-02");

  decide_all(number, GroupAnswer::Take::ours);
  deliver_it();
  EXPECT_EQ(there["birthDate"].text(), "1980-02-01");
  EXPECT_EQ(puts, 2);
  // What is changed after that is a proposal again.
  set("birthDate", "1980-04-01");
  deliver_it();
  EXPECT_EQ(puts, 2);
  EXPECT_EQ(shown()["birthDate"].text(), "1980-02-01");
}

TEST_F(UplinksTest, WhatAServerThatForgetsDeletionsHasNoMoreIsAskedAboutBeforeItIsMadeAgain) {
  for (const char* refusal : {"412 Precondition Failed", "404 Not Found"}) {
    bool is_there = false;
    serve([&](auto& connection, const auto& request) {
      constexpr char kOutcome[] = R"({"resourceType":"OperationOutcome"})";
      if (request.head.starts_with("GET")) return reply(connection, "404 Not Found", kOutcome);
      if (request.head.find("If-Match:") != std::string::npos)
        return reply(connection, refusal, kOutcome);
      is_there = true;
      reply(connection, "201 Created", "", "ETag: W/\"1\"\r\n");
    });
    fhir();
    const OutboxRow row = patient_row();
    agree(row, "7", 1);
    change(row);
    const RowOutcome outcome = deliver({row})[0];
    EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
    EXPECT_TRUE(is_there) << "the edit survives";
    EXPECT_EQ(count("SELECT count(*) FROM review WHERE state = 'open' AND decisions LIKE"
                    " '%\"group\":\"existence\"%'"),
              1)
        << "and a person is asked";
    TearDown();
    SetUp();
  }
}

TEST_F(UplinksTest, WhatTheServerSaysIsKeptWithTheRowAndGoesNowhereElse) {
  for (const char* status : {"500 Internal Server Error", "409 Conflict"}) {
    serve([&](auto& connection, const auto& request) {
      if (request.head.starts_with("GET")) {
        return reply(connection, "200 OK",
                     R"({"resourceType":"Patient","id":"x","meta":{"versionId":"9"},"photo":[]})");
      }
      reply(
          connection, status,
          R"({"resourceType":"OperationOutcome","issue":[{"code":"processing","diagnostics":"Roe is too short"}]})");
    });
    fhir();
    const OutboxRow row = patient_row();
    change(row);
    const RowOutcome outcome = deliver({row})[0];
    EXPECT_EQ(outcome.result, Delivery::failed);
    EXPECT_NE(outcome.peers_words.find("Roe is too short"), std::string::npos);
    EXPECT_EQ(outcome.reason.find("Roe"), std::string::npos);
    TearDown();
    SetUp();
  }
}

TEST_F(UplinksTest, ATokenGivenOnceGoesWithEveryRequest) {
  serve([](auto& connection, const auto&) {
    reply(connection, "201 Created", "", "ETag: W/\"1\"\r\n");
  });
  uplink_ = make_fhir_uplink({"his", core::Milliseconds(1'000), {}},
                             with_bearer(client(), "abc.DEF-1~+/="), held_, core::system_clock());
  EXPECT_EQ(deliver({patient_row()})[0].result, Delivery::delivered);
  EXPECT_NE(last_request().head.find("Authorization: Bearer abc.DEF-1~+/=\r\n"), std::string::npos);
  EXPECT_TRUE(is_bearer_token("abc.DEF-1~+/="));
  for (const char* wrong : {"", "two words", "line\nline", "caf\xc3\xa9"})
    EXPECT_FALSE(is_bearer_token(wrong)) << wrong;
}

TEST_F(UplinksTest, AServerThatNeverAcceptsAVersionIsTriedLater) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT")) {
      reply(connection, "412 Precondition Failed", R"({"resourceType":"OperationOutcome"})");
    } else {
      reply(connection, "200 OK",
            R"({"resourceType":"Patient","id":"x","meta":{"versionId":"9"},"photo":[]})");
    }
  });
  fhir();
  const OutboxRow row = patient_row();
  change(row);
  const auto outcome = deliver({row})[0];
  EXPECT_EQ(outcome.result, Delivery::failed);
  EXPECT_NE(outcome.reason.find("412"), std::string::npos);
}

TEST_F(UplinksTest, AnEarlierVersionOfOursFoundThereIsUpdatedFromThere) {
  std::string first;
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("GET")) {
      auto resource = *Json::parse(first);
      resource.set("meta", Json::object({{"versionId", "1"}}));
      reply(connection, "200 OK", resource.dump());
    } else {
      reply(connection, "200 OK", "", "ETag: W/\"2\"\r\n");
    }
  });
  fhir();
  OutboxRow row = patient_row();
  first = text("SELECT body FROM resource_version WHERE type = 'Patient'");
  change(row);
  row.perhaps_sent = true;
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_NE(last_request().head.find("If-Match: W/\"1\""), std::string::npos);
}

TEST_F(UplinksTest, AResourceTakenWithoutAVersionIsPerhapsSentUntilItWasReadBack) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT")) return reply(connection, "201 Created", "");
    reply(connection, "503 Service Unavailable", "");
  });
  fhir();
  EXPECT_EQ(deliver({patient_row()})[0].result, Delivery::lost);
}

TEST_F(UplinksTest, ASuccessThatTellsNoVersionIsReadBackWhateverItsStatus) {
  for (const char* status : {"204 No Content", "202 Accepted"}) {
    std::string stored;
    serve([&](auto& connection, const auto& request) {
      if (request.head.starts_with("PUT")) {
        stored = request.body;
        return reply(connection, status, "", "");
      }
      auto resource = *Json::parse(stored);
      resource.set("meta", Json::object({{"versionId", "3"}}));
      reply(connection, "200 OK", resource.dump());
    });
    fhir();
    const RowOutcome outcome = deliver({patient_row()})[0];
    EXPECT_EQ(outcome.result, Delivery::delivered) << status << outcome.reason;
    EXPECT_EQ(outcome.remote_version, "3");
    TearDown();
    SetUp();
  }
}

TEST_F(UplinksTest, WhatWasDeletedThereIsLookedForBeforeItIsMadeAgain) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT"))
      return reply(connection, "200 OK", "", "ETag: W/\"6\"\r\n");
    reply(connection, "200 OK",
          core::cat(R"({"resourceType":"Patient","id":")", request.head.substr(18, 36),
                    R"(","meta":{"versionId":"5"},"telecom":[{"value":"entered elsewhere"}]})"));
  });
  fhir();
  const OutboxRow row = patient_row();
  write([&](Connection& c) -> core::Status {
    const auto key = *parse_reference(row.subject);
    GW_TRY(const auto held, read_resource(c, key));
    GW_TRY(const auto version, delete_resource(c, key, "his", kNow));
    GW_CHECK(put_base(c, "his", key, {"", version}));
    return put_resource(c, key, held->body, "clinic", kNow).ok()
               ? core::Status()
               : core::Error(core::Code::internal, "put");
  });
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_EQ(heads().front(), core::cat("GET /base/", row.subject));
  EXPECT_NE(text("SELECT body FROM resource_version ORDER BY version DESC").find("elsewhere"),
            std::string::npos);
}

TEST_F(UplinksTest, AVersionOfOursTheHospitalWentBackToIsItsChange) {
  std::string first;
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("PUT")) {
      if (request.head.find("W/\"3\"") == std::string::npos)
        return reply(connection, "412 Precondition Failed", "");
      return reply(connection, "200 OK", "", "ETag: W/\"4\"\r\n");
    }
    auto resource = *Json::parse(first);
    resource.set("meta", Json::object({{"versionId", "3"}}));
    reply(connection, "200 OK", resource.dump());
  });
  fhir();
  const OutboxRow row = patient_row();
  first = text("SELECT body FROM resource_version WHERE type = 'Patient'");
  change(row);
  agree(row, "2", 2);
  write([&](Connection& c) -> core::Status {
    const auto key = *parse_reference(row.subject);
    GW_TRY(auto held, read_resource(c, key));
    held->body.set("telecom", Json::array({Json::object({{"value", "entered here"}})}));
    return put_resource(c, key, held->body, "clinic", kNow).ok()
               ? core::Status()
               : core::Error(core::Code::internal, "put");
  });
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_NE(last_request().body.find("entered here"), std::string::npos);
  EXPECT_EQ(last_request().body.find("language"), std::string::npos);
}

TEST_F(UplinksTest, ADeletionNamesTheVersionAndYieldsToAnEditAtTheHospital) {
  std::string version = "7";
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("DELETE")) return reply(connection, "204 No Content", "");
    const std::string id = request.head.substr(18, 36);
    reply(connection, "200 OK",
          core::cat(R"({"resourceType":"Patient","id":")", id, R"(","meta":{"versionId":")",
                    version, R"("},"gender":"other"})"));
  });
  fhir();
  const OutboxRow row = patient_row();
  agree(row, "7", 1);
  write([&](Connection& c) -> core::Status {
    GW_CHECK(delete_resource(c, *parse_reference(row.subject), "clinic", kNow));
    return {};
  });
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_NE(last_request().head.find("If-Match: W/\"7\""), std::string::npos);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE deleted = 1"), 1);
  // Not every server heeds the If-Match of a DELETE: what it has is looked at first.
  version = "8";
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE deleted = 1"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM review WHERE state = 'open'"), 1);
}

TEST_F(UplinksTest, EachKindOfAnswerHasItsOwnConsequence) {
  struct Case {
    const char* status;
    const char* type;
    const char* body;
    Delivery result;
    const char* said;
  };
  const Case cases[] = {
      {"200 OK", "Content-Type: text/html\r\n", "<html>sign in</html>", Delivery::lost, "HTML"},
      {"502 Bad Gateway", "", "", Delivery::lost, "502"},
      {"401 Unauthorized", "", "", Delivery::unreached, "credentials"},
      {"403 Forbidden", "", "", Delivery::unreached, "credentials"},
      {"403 Forbidden", "Content-Type: application/fhir+json\r\n",
       R"({"resourceType":"OperationOutcome","issue":[{"code":"forbidden"}]})", Delivery::failed,
       "403"},
      {"503 Service Unavailable", "Retry-After: 30\r\n", "", Delivery::unreached, "503"},
      {"500 Internal Server Error", "", "", Delivery::failed, "500"},
      {"422 Unprocessable Entity", "Content-Type: application/fhir+json\r\n",
       R"({"resourceType":"OperationOutcome","issue":[{"diagnostics":"no such code"}]})",
       Delivery::refused, "no such code"},
      {"302 Found", "Location: /login\r\n", "", Delivery::unreached, "check url"},
      {"404 Not Found", "Content-Type: text/plain\r\n", "not found", Delivery::unreached,
       "check url"},
      {"404 Not Found", "", "", Delivery::unreached, "check url"},
      {"405 Method Not Allowed", "", "", Delivery::unreached, "check url"},
      {"408 Request Timeout", "", "", Delivery::lost, "408"},
      {"405 Method Not Allowed", "Content-Type: application/fhir+json\r\n",
       R"({"resourceType":"OperationOutcome","issue":[{"diagnostics":"no client ids"}]})",
       Delivery::refused, "no client ids"},
  };
  const Case* current = nullptr;
  serve([&](auto& connection, const auto&) {
    reply(connection, current->status, current->body, current->type);
  });
  fhir();
  const OutboxRow row = patient_row();
  for (const Case& one : cases) {
    current = &one;
    const auto outcome = deliver({row})[0];
    EXPECT_EQ(outcome.result, one.result) << one.status;
    EXPECT_NE(outcome.reason.find(one.said), std::string::npos) << outcome.reason;
  }
}

TEST_F(UplinksTest, AWrongUrlIsNoDeletion) {
  serve([](auto& connection, const auto&) {
    reply(connection, "404 Not Found", "no route", "Content-Type: text/plain\r\n");
  });
  fhir();
  const OutboxRow row = patient_row();
  agree(row, "7", 1);
  write([&](Connection& c) -> core::Status {
    GW_CHECK(delete_resource(c, *parse_reference(row.subject), "clinic", kNow));
    return {};
  });
  EXPECT_EQ(deliver({row})[0].result, Delivery::unreached);
}

std::string bundle(std::string_view entries, std::string_view next = "") {
  const std::string link =
      next.empty() ? "" : core::cat(R"(,"link":[{"relation":"next","url":")", next, R"("}])");
  return core::cat(R"({"resourceType":"Bundle","type":"searchset")", link, R"(,"entry":[)", entries,
                   "]}");
}

std::string entry(std::string_view resource, std::string_view updated) {
  std::string text(resource);
  text.insert(text.find("\"versionId\""), core::cat(R"("lastUpdated":")", updated, R"(",)"));
  return core::cat(R"({"resource":)", text, "}");
}

// A proxy's 413 comes with a page; a PACS's 400 need not say which instance it means.
TEST_F(UplinksTest, APullAsksByTimeForTheNextPageAndFollowsALinkOnlyAmongEqualTimes) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("GET /base/Patient?")) {
      return reply(
          connection, "200 OK",
          bundle(entry(kPatient, "2026-03-01T08:00:00Z"), "http://inside:8080/fhir?_getpages=a"));
    }
    reply(connection, "200 OK", bundle(""));
  });
  fhir({"Patient"});
  const PullReport report = pull_all();
  EXPECT_TRUE(report.reached) << report.error;
  EXPECT_EQ(report.applied, 1);
  const std::string first = "GET /base/Patient?_sort=_lastUpdated&_count=100";
  EXPECT_EQ(heads(),
            (std::vector<std::string>{first, first + "&_lastUpdated=ge2026-03-01T08:00:00.000Z",
                                      "GET /base?_getpages=a"}));
  EXPECT_EQ(text("SELECT since FROM pull_cursor"), "2026-03-01T07:55:00.000Z");
}

TEST_F(UplinksTest, APullCutBetweenPagesKeepsItsCursorAndReadsAgain) {
  bool cut = true;
  serve([&](auto& connection, const auto& request) {
    if (request.head.starts_with("GET /base/Patient?")) {
      return reply(
          connection, "200 OK",
          bundle(entry(kPatient, "2026-03-01T08:00:00Z"), "http://inside/fhir?_getpages=a"));
    }
    if (cut) return reply(connection, "503 Service Unavailable", "", "");
    reply(connection, "200 OK", bundle(""));
  });
  fhir({"Patient"});
  EXPECT_FALSE(pull_all().reached);
  EXPECT_EQ(text("SELECT since FROM pull_cursor"), "<none>");
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 1);
  cut = false;
  EXPECT_TRUE(pull_all().reached);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), 1);
}

TEST_F(UplinksTest, APullFollowsTheLinksOfAServerThatDoesNotSort) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("GET /base/Patient?")) {
      std::string other(kPatient);
      other.replace(other.find("\"p1\""), 4, "\"p2\"");
      return reply(connection, "200 OK",
                   bundle(core::cat(entry(kPatient, "2026-03-01T09:00:00Z"), ",",
                                    entry(other, "2026-03-01T08:00:00Z")),
                          "http://inside:8080/fhir?_getpages=a"));
    }
    reply(connection, "200 OK", bundle(""));
  });
  fhir({"Patient"});
  EXPECT_TRUE(pull_all().reached);
  EXPECT_EQ(heads(), (std::vector<std::string>{"GET /base/Patient?_sort=_lastUpdated&_count=100",
                                               "GET /base?_getpages=a"}));
}

TEST_F(UplinksTest, APullBeginsAnewWhereTheServersClockWentBack) {
  serve([](auto& connection, const auto&) {
    reply(connection, "200 OK", bundle(entry(kPatient, "2026-03-02T08:00:00Z")),
          "Content-Type: application/fhir+json\r\nDate: Sun, 01 Mar 2026 08:00:00 GMT\r\n");
  });
  fhir({"Patient"});
  write([](Connection& c) { return put_cursor(c, "his", "Patient", "2026-03-02T07:55:00.000Z"); });
  EXPECT_TRUE(pull_all().reached);
  const std::string whole = "GET /base/Patient?_sort=_lastUpdated&_count=100";
  EXPECT_EQ(heads(),
            (std::vector<std::string>{whole + "&_lastUpdated=ge2026-03-02T07:55:00.000Z", whole}));
  EXPECT_EQ(text("SELECT since FROM pull_cursor WHERE query = 'Patient'"),
            "2026-03-01T07:55:00.000Z");
}

TEST_F(UplinksTest, AnOrdersPatientIsFetchedWhenThePullDoesNotBringIt) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("GET /base/Patient/p1"))
      return reply(connection, "200 OK", kPatient);
    reply(connection, "200 OK", bundle(entry(kOrder, "2026-03-01T08:00:00Z")));
  });
  fhir({"ServiceRequest"});
  EXPECT_TRUE(pull_all().reached);
  EXPECT_EQ(worklist().size(), 1u);
}

}  // namespace
}  // namespace gateway::sync
