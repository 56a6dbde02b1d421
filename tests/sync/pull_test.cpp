// A pull from a server that counts its pages by places, while what is on them changes.
#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/civil_time.h"
#include "sync/fhir_uplink.h"
#include "sync/pull_state.h"
#include "tests/fakes/waiting.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::size_t kPage = 2;  // the server's own, whatever is asked for

struct Entry {
  std::string body;  // without meta
  std::string updated;
  int version = 1;
  bool included = false;  // by _include, beside the page's last match
};

/// Searches of one type, sorted by _lastUpdated; its link to the next page says a place.
class PagingServer final : public core::net::HttpClient {
 public:
  std::vector<Entry> entries;
  std::vector<std::string> deleted;  // ids; its history tells
  core::Wall now = *core::parse_instant("2026-03-01T09:00:00Z");
  std::function<void(int page)> served = [](int) {};
  std::string forbidden;  // a type this client may not read
  bool has_history = true;
  std::map<std::string, std::string> unsearched;  // read by Type/id, found by no search

  Awaitable<core::Result<HttpResponse>> send(HttpRequest request) override {
    if (request.method == "PUT" && request.target.starts_with("/Patient"))
      throw std::runtime_error("a defect that a resource brings out");
    HttpResponse response;
    response.status = 404;
    if (!forbidden.empty() && request.target.starts_with(cat('/', forbidden))) {
      response.status = 403;
      response.headers = {{"Content-Type", "application/fhir+json"}};
      response.body = R"({"resourceType":"OperationOutcome"})";
    } else if (const auto one = unsearched.find(request.target.substr(1));
               one != unsearched.end()) {
      response.status = 200;
      response.headers = {{"Content-Type", "application/fhir+json"}};
      response.body = one->second;
    } else if (request.target.find('?') != request.target.npos) {
      response.status = 200;
      response.headers = {{"Date", core::to_http_date(now)}};
      const bool history = request.target.find("/_history?") != request.target.npos;
      if (history && !has_history) {
        response.status = 400;
        response.headers = {{"Content-Type", "application/fhir+json"}};
        response.body = R"({"resourceType":"OperationOutcome"})";
        co_return response;
      }
      response.body = history ? deletions() : page(request.target);
      if (!history) served(++pages_);
    }
    co_return response;
  }
  void close() override {}

 private:
  std::string deletions() const {
    std::string list;
    for (const std::string& id : deleted) {
      list += cat(list.empty() ? "" : ",", R"({"request":{"method":"DELETE","url":"Patient/)", id,
                  R"("}})");
    }
    return cat(R"({"resourceType":"Bundle","type":"history","entry":[)", list, "]}");
  }

  static std::string value_of(const std::string& target, std::string_view name) {
    const auto at = target.find(name);
    if (at == target.npos) return {};
    const auto begin = at + name.size();
    return target.substr(begin, std::min(target.find('&', begin), target.size()) - begin);
  }

  static std::string shown(const Entry& entry) {
    const std::string meta = cat(R"("meta":{"versionId":")", entry.version, R"(","lastUpdated":")",
                                 entry.updated, R"("},)");
    return cat(R"({"search":{"mode":")", entry.included ? "include" : "match", R"("},"resource":{)",
               meta, entry.body.substr(1), "}");
  }

  std::string page(const std::string& target) {
    const std::string since = value_of(target, "_lastUpdated=ge");
    std::size_t offset = 0;
    const std::string place = value_of(target, "_offset=");
    std::from_chars(place.data(), place.data() + place.size(), offset);
    std::ranges::stable_sort(entries, {}, &Entry::updated);
    std::vector<Entry> matches;
    for (const Entry& entry : entries)
      if (!entry.included && entry.updated >= since) matches.push_back(entry);
    std::string list;
    for (std::size_t i = offset; i < std::min(offset + kPage, matches.size()); ++i)
      list += cat(list.empty() ? "" : ",", shown(matches[i]));
    for (const Entry& entry : entries)
      if (entry.included) list += cat(list.empty() ? "" : ",", shown(entry));
    std::string next;
    if (offset + kPage < matches.size()) {
      next = cat(R"(,"link":[{"relation":"next","url":"https://his/fhir/Patient?_offset=)",
                 offset + kPage, since.empty() ? "" : cat("&_lastUpdated=ge", since), R"("}])");
    }
    return cat(R"({"resourceType":"Bundle","entry":[)", list, "]", next, "}");
  }

  int pages_ = 0;
};

class PullTest : public RecordsTest {
 protected:
  static Entry patient(const std::string& id, const std::string& updated) {
    return {cat(R"({"resourceType":"Patient","id":")", id, R"("})"), updated};
  }

  PullReport pull_all(std::vector<std::string> queries) {
    FhirEndpoint endpoint(server_);
    Crossings crossings;
    const std::string uplink = "his";
    return fakes::await(loop_,
                        pull_queries({endpoint, *held_, core::system_clock(), crossings, uplink},
                                     std::move(queries)));
  }
  std::int64_t patients() { return count("SELECT count(*) FROM resource WHERE type = 'Patient'"); }
  std::string cursor(const std::string& query) {
    auto saved = held_->database().read_value<std::string>(
        [&](Connection& c) { return saved_cursor(c, "his", query); });
    EXPECT_TRUE(saved.ok());
    return saved.value();
  }

  boost::asio::io_context loop_;  // the database's writer lets go of it last
  std::shared_ptr<PagingServer> server_ = std::make_shared<PagingServer>();
};

// All at one time, so that the server's own link is the only way on.
TEST_F(PullTest, WhatAMoveBetweenTwoPagesLeftOutComesWithTheNextRound) {
  const std::string at_once = "2026-03-01T08:00:00.000Z";
  for (const char* id : {"a", "b", "c", "d", "e"}) server_->entries.push_back(patient(id, at_once));
  server_->served = [&](int page) {
    if (page != 2) return;            // the first of those with a place in their link
    server_->entries[0].version = 2;  // it goes behind: what follows moves up by one place
    server_->entries[0].updated = "2026-03-01T08:30:00.000Z";
  };
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_LT(patients(), 5) << "the server left one out";
  EXPECT_EQ(cursor("Patient"), "") << "so the next round begins where this one did";
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_EQ(patients(), 5);
  EXPECT_NE(cursor("Patient"), "");
}

TEST_F(PullTest, WhatADefectKeptFromBeingSentIsNotOnItsWayForEver) {
  write([](Connection& c) -> core::Status {
    const ResourceKey key{"Patient", "a"};
    const Json body = Json::object({{"resourceType", "Patient"}, {"id", "a"}, {"language", "es"}});
    GW_CHECK(put_resource(c, key, body, "clinic", kNow));
    return queue_row(c, "his", "resource", key.text(), 0, std::nullopt, kNow).ok()
               ? core::Status()
               : core::Error(core::Code::internal, "queue");
  });
  const auto uplink = make_fhir_uplink({"his", core::Milliseconds(1'000), {"Patient"}}, server_,
                                       held_, core::system_clock());
  EXPECT_THROW(fakes::await(loop_, uplink->deliver(claim("his").rows)), std::runtime_error);
  write([](Connection& c) { return c.run("UPDATE outbox SET state = 'waiting'"); });
  server_->entries.push_back(patient("a", "2026-03-01T08:00:00.000Z"));
  EXPECT_EQ(fakes::await(loop_, uplink->pull()).applied, 1);
}

TEST_F(PullTest, ATypeThisClientMayNotReadKeepsNoOtherAway) {
  server_->forbidden = "Patient";
  server_->entries.push_back({R"({"resourceType":"ServiceRequest","id":"s1","status":"active",)"
                              R"("intent":"order","subject":{"reference":"Patient/p1"}})",
                              "2026-03-01T08:00:00.000Z"});
  const PullReport report = pull_all({"Patient", "ServiceRequest"});
  EXPECT_TRUE(report.reached) << report.error;
  EXPECT_TRUE(report.refused.starts_with("pull of Patient: the server answered 403"))
      << report.refused;
  EXPECT_EQ(cursor("Patient"), "");
  EXPECT_NE(cursor("ServiceRequest"), "");
  EXPECT_EQ(count("SELECT count(*) FROM inbox"), 1) << "its patient is not known";

  server_->forbidden.clear();
  server_->entries.push_back(patient("p1", "2026-03-01T07:00:00.000Z"));
  EXPECT_EQ(pull_all({"Patient", "ServiceRequest"}).refused, "");
  EXPECT_EQ(patients(), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'ServiceRequest'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM inbox"), 0);
}

TEST_F(PullTest, WhatIncludeBringsAlongDoesNotSayHowFarTheSearchCame) {
  for (int i = 0; i < 6; ++i)
    server_->entries.push_back(patient(cat("p", i), cat("2026-03-01T08:0", i, ":00.000Z")));
  Entry brought = patient("brought", "2026-03-01T08:59:00.000Z");
  brought.included = true;
  server_->entries.push_back(brought);
  EXPECT_TRUE(pull_all({"Patient?_include=Patient:link"}).reached);
  EXPECT_EQ(patients(), 7);
}

TEST_F(PullTest, TheRecordThatReplacedAPatientIsFetchedWhereNoSearchFindsIt) {
  Entry replaced = patient("old", "2026-03-01T08:00:00.000Z");
  replaced.body =
      R"({"resourceType":"Patient","id":"old","active":false,"link":[{"other":{"reference":)"
      R"("Patient/new"},"type":"replaced-by"}]})";
  server_->entries.push_back(replaced);
  server_->unsearched["Patient/new"] =
      R"({"resourceType":"Patient","id":"new","meta":{"versionId":"1"},"birthDate":"1980-01-02"})";
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Patient' AND id = 'new'"), 1);
  EXPECT_EQ(patients(), 2);
}

TEST_F(PullTest, APatientWhoseSurvivorIsKeptFromUsComesAllTheSame) {
  Entry replaced = patient("old", "2026-03-01T08:00:00.000Z");
  replaced.body =
      R"({"resourceType":"Patient","id":"old","active":false,"link":[{"other":{"reference":)"
      R"("Patient/new"},"type":"replaced-by"}]})";
  server_->entries.push_back(replaced);
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_EQ(patients(), 1);
  EXPECT_EQ(count("SELECT count(*) FROM inbox"), 0);
}

// What tells how late it is there is the Date of its answers: nothing it holds has a newer time.
TEST_F(PullTest, ADeletionIsSeenWhereNothingElseChanges) {
  for (const char* id : {"a", "b"})
    server_->entries.push_back(patient(id, "2026-03-01T08:00:00.000Z"));
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  server_->entries.erase(server_->entries.begin());
  server_->deleted = {"a"};
  server_->now += std::chrono::minutes(31);
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Patient' AND deleted = 0"), 1);
}

TEST_F(PullTest, WhereThereIsNoTypeHistoryADailyInventoryFindsWhatWasDeleted) {
  server_->has_history = false;
  for (const char* id : {"a", "b", "c", "moved"})
    server_->entries.push_back(patient(id, "2026-03-01T08:00:00.000Z"));
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  ASSERT_EQ(patients(), 4);
  const auto held = [&] {
    return count("SELECT count(*) FROM resource WHERE type = 'Patient' AND deleted = 0");
  };
  const auto forget = [&](const std::string& id) {
    std::erase_if(server_->entries, [&](const Entry& entry) {
      return entry.body.find(cat("\"", id, "\"")) != entry.body.npos;
    });
  };
  forget("a");
  forget("moved");  // the query does not find it any more, and it is there
  server_->unsearched["Patient/moved"] =
      R"({"resourceType":"Patient","id":"moved","meta":{"versionId":"1"}})";
  server_->now += std::chrono::minutes(31);
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_EQ(held(), 3);

  forget("b");
  server_->now += std::chrono::hours(2);
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_EQ(held(), 3) << "once a day";
  server_->now += std::chrono::hours(23);
  EXPECT_TRUE(pull_all({"Patient"}).reached);
  EXPECT_EQ(held(), 2);
}

}  // namespace
}  // namespace gateway::sync
