// Patients that no query of the pull finds: what the hospital changes in their records comes all
// the same, and who was registered here is looked for there.
#include <algorithm>
#include <map>
#include <set>

#include "core/civil_time.h"
#include "sync/fhir_uplink.h"
#include "tests/fakes/waiting.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr char kQuery[] = "Patient?general-practitioner=nobody";

struct Held {
  std::string identifier;  // SYSTEM|VALUE, encoded as in a query
  std::string family;
  int version = 1;
  std::string updated = "2026-03-01T08:00:00.000Z";
};

/// Finds Patients by _id and identifier, and by nothing else.
class Registry final : public core::net::HttpClient {
 public:
  std::map<std::string, Held> patients;
  std::vector<std::string> asked;  // searches by _id or identifier
  bool knows_identifiers = true;
  core::Wall now = *core::parse_instant("2026-03-01T09:00:00Z");

  Awaitable<core::Result<HttpResponse>> send(HttpRequest request) override {
    HttpResponse response;
    response.status = 404;
    response.headers = {{"Content-Type", "application/fhir+json"},
                        {"Date", core::to_http_date(now)}};
    response.body = R"({"resourceType":"OperationOutcome"})";
    const std::string& target = request.target;
    const std::set<std::string> ids = values_of(target, "/Patient?_id=");
    const std::set<std::string> identifiers = values_of(target, "/Patient?identifier=");
    if (!ids.empty() || !identifiers.empty()) asked.push_back(target);
    const auto read = patients.find(target.substr(target.rfind('/') + 1));
    if (!identifiers.empty() && !knows_identifiers) {
      response.status = 400;
    } else if (read != patients.end()) {
      response.status = 200;
      response.body = resource_of(read->first, read->second);
    } else if (request.method == "GET" && target.starts_with("/Patient?")) {
      response.status = 200;
      response.body = found(target, ids, identifiers);
    }
    co_return response;
  }
  void close() override {}

 private:
  static std::set<std::string> values_of(const std::string& target, std::string_view name) {
    std::set<std::string> values;
    if (!target.starts_with(name)) return values;
    std::string list = target.substr(name.size());
    list.resize(std::min(list.find('&'), list.size()));
    for (std::size_t at = 0; at <= list.size();) {
      const auto end = std::min(list.find(',', at), list.size());
      values.insert(list.substr(at, end - at));
      at = end + 1;
    }
    return values;
  }
  static std::string resource_of(const std::string& id, const Held& held) {
    return cat(R"({"resourceType":"Patient","id":")", id, R"(","meta":{"versionId":")",
               held.version, R"(","lastUpdated":")", held.updated,
               R"("},"identifier":[{"system":")", kIssuer,
               R"(","value":"P1"}],"name":[{"family":")", held.family, R"("}]})");
  }
  std::string found(const std::string& target, const std::set<std::string>& ids,
                    const std::set<std::string>& identifiers) const {
    const auto at = target.find("_lastUpdated=ge");
    const std::string since = at == target.npos ? "" : target.substr(at + 15);
    std::string list;
    for (const auto& [id, held] : patients) {
      if (!ids.contains(id) && !identifiers.contains(held.identifier)) continue;
      if (held.updated < since) continue;
      list += cat(list.empty() ? "" : ",", R"({"resource":)", resource_of(id, held), "}");
    }
    return cat(R"({"resourceType":"Bundle","entry":[)", list, "]}");
  }
};

class LaterClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return core::system_clock().monotonic() + later; }
  core::Wall wall() const override { return core::system_clock().wall(); }
  std::chrono::minutes later{0};
};

class FollowedPatientsTest : public RecordsTest {
 protected:
  PullReport pull(const std::string& query = kQuery) {
    if (!uplink_) {
      uplink_ =
          make_fhir_uplink({"his", core::Milliseconds(1'000), {query}}, hospital_, held_, clock_);
    }
    PullReport report = fakes::await(loop_, uplink_->pull());
    EXPECT_TRUE(report.reached) << report.error;
    return report;
  }
  void hospital_told_of(const std::string& id) {
    hospital_->patients[id] = {cat(core::net::url_encode(kIssuer), "%7CP1"), "Roe"};
    write([&](Connection& c) -> core::Status {
      const Json body = Json::object({{"resourceType", "Patient"}, {"id", id}});
      GW_TRY(const auto version, put_resource(c, {"Patient", id}, body, "his", kNow));
      return put_base(c, "his", {"Patient", id}, {"0", version});
    });
  }
  void registered_here(const std::string& id) {
    write([&](Connection& c) -> core::Status {
      const Json own = Json::object({{"system", kIssuer}, {"value", "P1"}});
      const Json body = Json::object(
          {{"resourceType", "Patient"}, {"id", id}, {"identifier", Json::array({own})}});
      return put_resource(c, {"Patient", id}, body, "clinic", kNow).ok()
                 ? core::Status()
                 : core::Error(core::Code::internal, "put");
    });
  }
  std::int64_t named(const std::string& family) {
    return count(
        cat("SELECT count(*) FROM resource r JOIN resource_version v USING (type, id, "
            "version) WHERE v.body LIKE '%",
            family, "%'"));
  }

  boost::asio::io_context loop_;
  LaterClock clock_;
  std::shared_ptr<Registry> hospital_ = std::make_shared<Registry>();
  std::unique_ptr<Uplink> uplink_;
};

TEST_F(FollowedPatientsTest, AChangeInARecordThatNoQueryFindsComesWithinTheHour) {
  hospital_told_of("p1");
  hospital_told_of("p2");
  pull();
  EXPECT_EQ(named("Roe"), 2);
  ASSERT_EQ(hospital_->asked.size(), 1u);
  EXPECT_TRUE(hospital_->asked[0].starts_with("/Patient?_id=p1,p2&")) << hospital_->asked[0];
  hospital_->patients["p1"].family = "Rowe";
  hospital_->patients["p1"].version = 2;
  hospital_->patients["p1"].updated = "2026-03-01T09:30:00.000Z";
  pull();
  EXPECT_EQ(hospital_->asked.size(), 1u) << "not with every pull";
  clock_.later = std::chrono::minutes(61);
  hospital_->now += std::chrono::minutes(61);
  EXPECT_EQ(pull().applied, 1);
  EXPECT_EQ(named("Rowe"), 1);
  ASSERT_EQ(hospital_->asked.size(), 2u);
  EXPECT_NE(hospital_->asked[1].find("_lastUpdated=ge2026-03-01T08:55:00"), std::string::npos)
      << "what changed since: " << hospital_->asked[1];
}

TEST_F(FollowedPatientsTest, WhoIsRegisteredHereIsLookedForThereAndProposedAsTheSamePerson) {
  hospital_->patients["theirs"] = {cat(core::net::url_encode(kIssuer), "%7CP1"), "Roe"};
  pull();
  EXPECT_TRUE(hospital_->asked.empty());
  registered_here("ours");
  EXPECT_EQ(pull().applied, 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'Task/%'"), 1);
  pull();
  EXPECT_EQ(hospital_->asked.size(), 1u) << "asked once";
  clock_.later = std::chrono::minutes(61);
  pull();
  EXPECT_EQ(hospital_->asked.size(), 3u) << "somebody may have come to be known since";
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'Task/%'"), 1);
}

TEST_F(FollowedPatientsTest, WhereEveryPatientComesAnywayNobodyIsAskedFor) {
  hospital_told_of("p1");
  registered_here("ours");
  pull("Patient");
  EXPECT_TRUE(hospital_->asked.empty());
}

TEST_F(FollowedPatientsTest, AServerThatDoesNotKnowTheQuestionIsAskedItOnceAnHour) {
  hospital_->knows_identifiers = false;
  hospital_told_of("p1");
  registered_here("ours");
  const PullReport report = pull();
  EXPECT_NE(report.refused.find("by identifier: the server answered 400"), std::string::npos)
      << report.refused;
  EXPECT_EQ(report.refused.find("P1"), std::string::npos) << "no patient's number";
  EXPECT_EQ(named("Roe"), 1) << "the others come";
  EXPECT_EQ(pull().refused, report.refused) << "until it is asked again";
  EXPECT_EQ(hospital_->asked.size(), 2u);
  hospital_->knows_identifiers = true;
  hospital_->patients["theirs"] = {cat(core::net::url_encode(kIssuer), "%7CP1"), "Long"};
  clock_.later = std::chrono::minutes(61);
  hospital_->now += std::chrono::minutes(61);
  EXPECT_EQ(pull().refused, "");
  EXPECT_EQ(named("Long"), 1) << "what it has had for long is asked for as at first";
}

TEST_F(FollowedPatientsTest, AnIdentifierThatComesLateIsLookedForToo) {
  registered_here("first");
  hospital_->patients["theirs"] = {cat(core::net::url_encode(kIssuer), "%7CP9"), "Long"};
  pull();
  EXPECT_EQ(named("Long"), 0);
  write([](Connection& c) -> core::Status {
    const Json late = Json::object({{"system", kIssuer}, {"value", "P9"}});
    const Json body = Json::object(
        {{"resourceType", "Patient"}, {"id", "first"}, {"identifier", Json::array({late})}});
    return put_resource(c, {"Patient", "first"}, body, "clinic", kNow).ok()
               ? core::Status()
               : core::Error(core::Code::internal, "put");
  });
  pull();
  EXPECT_EQ(named("Long"), 1);
}

TEST_F(FollowedPatientsTest, AfterARestartWhoWasAskedForIsNotANewcomer) {
  registered_here("ours");
  pull();
  uplink_.reset();
  pull();
  ASSERT_EQ(hospital_->asked.size(), 2u);
  EXPECT_EQ(hospital_->asked[0].find("_lastUpdated=ge"), std::string::npos);
  EXPECT_EQ(hospital_->asked[1].find("_lastUpdated=ge"), std::string::npos)
      << "nobody was asked for by the hour before";
  uplink_.reset();
  pull();
  ASSERT_EQ(hospital_->asked.size(), 3u);
  EXPECT_NE(hospital_->asked[2].find("_lastUpdated=ge"), std::string::npos);
}

TEST_F(FollowedPatientsTest, ManyAreAskedForInQueriesThatAServerTakes) {
  for (int i = 0; i < 500; ++i) hospital_told_of(cat("0f8fad5b-d9cb-469f-a165-", 10'000 + i));
  pull();
  EXPECT_EQ(named("Roe"), 500);
  EXPECT_GT(hospital_->asked.size(), 2u);
  for (const std::string& target : hospital_->asked) EXPECT_LT(target.size(), 4'200u);
}

}  // namespace
}  // namespace gateway::sync
