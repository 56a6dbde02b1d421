// What is to be done with a tube: found by its number, and told of nobody else.
#include "sync/pending_orders.h"

#include <gmock/gmock.h>

#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using core::cat;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr char kTubes[] = "urn:example:tubes";

class PendingOrdersTest : public RecordsTest {
 protected:
  void put(const std::string& type, const std::string& id, const std::string& more) {
    const auto body =
        Json::parse(cat(R"({"resourceType":")", type, R"(","id":")", id, '"', more, "}"));
    ASSERT_TRUE(body.ok()) << more;
    write([&](Connection& c) -> core::Status {
      GW_CHECK(put_resource(c, {type, id}, *body, "his", kNow));
      return {};
    });
  }
  static std::string number(const std::string& value) {
    return cat(R"(,"identifier":[{"system":"urn:example:tubes","value":")", value, R"("}])");
  }
  static std::string of(const std::string& patient) {
    return cat(R"(,"subject":{"reference":"Patient/)", patient, R"("})");
  }
  void put_order(const std::string& id, const std::string& patient, const std::string& more,
                 const std::string& status = "active", const std::string& intent = "order") {
    put("ServiceRequest", id,
        cat(R"(,"status":")", status, R"(","intent":")", intent, '"', of(patient), more));
  }
  PendingOrders find(const std::string& tube) {
    auto found = held_->database().read_value<PendingOrders>(
        [&](Connection& c) { return pending_orders(c, kTubes, tube); });
    EXPECT_TRUE(found.ok());
    return *found;
  }
  std::vector<std::string> ids(const std::string& tube) {
    std::vector<std::string> ids;
    for (const Json& one : find(tube).orders) ids.emplace_back(one["id"].text());
    return ids;
  }
  std::vector<std::string> specimens(std::size_t count_max) {
    const auto found = held_->database().read_value<std::vector<std::string>>([&](Connection& c) {
      return pending_specimens(
          c, kTubes, [](const Json& order) { return order["id"].text() != "other"; }, count_max);
    });
    EXPECT_TRUE(found.ok());
    return *found;
  }
};

TEST_F(PendingOrdersTest, AnOrderIsATubesWhicheverNamesTheOther) {
  put("Patient", "p1", "");
  put_order("carries", "p1", number("T1"));
  put_order("names", "p1", R"(,"specimen":[{"reference":"Specimen/t1"}])");
  put_order("named", "p1", "");
  put_order("elsewhere", "p1", number("T2"));
  put("Specimen", "t1",
      cat(number("T1"), of("p1"), R"(,"request":[{"reference":"ServiceRequest/named"}])"));
  const PendingOrders found = find("T1");
  EXPECT_THAT(ids("T1"), UnorderedElementsAre("carries", "names", "named"));
  EXPECT_EQ(found.patient["id"].text(), "p1");
  EXPECT_EQ(found.specimen["id"].text(), "t1");
  EXPECT_EQ(found.problem, "");
  EXPECT_THAT(ids("T3"), ElementsAre());
  EXPECT_THAT(specimens(9), UnorderedElementsAre("T1", "T2"));
  EXPECT_EQ(specimens(1).size(), 1u);
}

TEST_F(PendingOrdersTest, WhatIsOverOrWasNeverAnOrderIsNotToBeDone) {
  put("Patient", "p1", "");
  put_order("a", "p1", number("T1"), "revoked");
  put_order("b", "p1", number("T1"), "completed");
  put_order("c", "p1", number("T1"), "on-hold");
  put_order("d", "p1", number("T1"), "active", "proposal");
  put_order("e", "p1", cat(number("T1"), R"(,"doNotPerform":true)"));
  EXPECT_THAT(ids("T1"), ElementsAre());
  EXPECT_EQ(find("T1").problem, "");
  EXPECT_THAT(specimens(9), ElementsAre());
  put_order("f", "p1", number("T1"), "active", "filler-order");
  EXPECT_THAT(ids("T1"), ElementsAre("f"));
}

TEST_F(PendingOrdersTest, ANumberOfTwoPatientsLeadsToNobody) {
  put("Patient", "p1", "");
  put("Patient", "p2", "");
  put_order("a", "p1", number("T1"));
  put_order("b", "p2", number("T1"));
  const PendingOrders found = find("T1");
  EXPECT_TRUE(found.orders.empty());
  EXPECT_THAT(found.problem, HasSubstr("several patients"));
  put_order("b", "p2", number("T1"), "revoked");
  EXPECT_THAT(ids("T1"), ElementsAre("a")) << "what is over is in nobody's way";
}

TEST_F(PendingOrdersTest, ATubeOfSomebodyElseLeadsToNobodyUntilItIsGone) {
  put("Patient", "p1", "");
  put("Patient", "p2", "");
  put_order("a", "p1", number("T1"));
  put("Specimen", "t1", cat(number("T1"), of("p2")));
  EXPECT_THAT(find("T1").problem, HasSubstr("several patients"));
  put("Specimen", "t1", cat(number("T1"), of("p2"), R"(,"status":"unavailable")"));
  EXPECT_THAT(ids("T1"), ElementsAre("a"));
  EXPECT_TRUE(find("T1").specimen.is_null());
}

TEST_F(PendingOrdersTest, ATubeAResultToldOfIsNobodysOnceItsOrdersAreOver) {
  constexpr std::string_view kTold = R"(,"meta":{"source":"urn:clinic-gateway:message:7"})";
  put("Patient", "p1", "");
  put("Patient", "p2", "");
  put_order("a", "p1", number("T1"));
  // Nobody ever calls it unavailable, and its number comes round again.
  put("Specimen", "t1", cat(number("T1"), of("p2"), kTold));
  EXPECT_THAT(ids("T1"), ElementsAre("a"));
  const std::string of_b = R"(,"specimen":[{"reference":"Specimen/t1"}])";
  for (const char* status : {"active", "on-hold"}) {
    put_order("b", "p2", of_b, status);
    EXPECT_THAT(find("T1").problem, HasSubstr("several patients")) << status;
  }
  put_order("b", "p2", of_b, "completed");
  EXPECT_THAT(ids("T1"), ElementsAre("a"));
  EXPECT_TRUE(find("T1").specimen.is_null());
  put("Specimen", "t1",
      cat(number("T1"), of("p2"), kTold, R"(,"request":[{"reference":"ServiceRequest/unheld"}])"));
  EXPECT_THAT(find("T1").problem, HasSubstr("several patients")) << "nobody knows of that order";
}

TEST_F(PendingOrdersTest, AnUnsatisfactoryTubeIsAProblem) {
  put("Patient", "p1", "");
  put_order("a", "p1", number("T1"));
  const std::string bad = cat(number("T1"), of("p1"), R"(,"status":"unsatisfactory")");
  put("Specimen", "t1", bad);
  EXPECT_THAT(find("T1").problem, HasSubstr("unsatisfactory"));
  EXPECT_TRUE(find("T1").orders.empty());
  // Drawn again under the same number.
  put("Specimen", "t1", cat(bad, R"(,"collection":{"collectedDateTime":"2026-03-01T09:00:00Z"})"));
  put("Specimen", "t2",
      cat(number("T1"), of("p1"),
          R"(,"collection":{"collectedPeriod":{"start":"2026-03-01T11:00:00+01:00"}})"));
  EXPECT_EQ(find("T1").specimen["id"].text(), "t2");
  EXPECT_THAT(ids("T1"), ElementsAre("a"));
  put("Specimen", "t1",
      cat(bad, R"(,"collection":{"collectedDateTime":"2026-03-01T10:00:00.500Z"})"));
  EXPECT_THAT(find("T1").problem, HasSubstr("unsatisfactory")) << "the newer one";
  put_order("b", "p1", R"(,"specimen":[{"reference":"Specimen/t2"}])");
  EXPECT_EQ(find("T1").specimen["id"].text(), "t2") << "an order goes with it";
}

TEST_F(PendingOrdersTest, TwoRecordsOfOnePersonAreOnePatient) {
  put("Patient", "p1", R"(,"link":[{"type":"replaced-by","other":{"reference":"Patient/p2"}}])");
  put("Patient", "p2", "");
  put_order("a", "p1", number("T1"));
  put_order("b", "p2", number("T1"));
  EXPECT_THAT(ids("T1"), UnorderedElementsAre("a", "b"));
  EXPECT_EQ(find("T1").patient["id"].text(), "p2");
}

TEST_F(PendingOrdersTest, APatientWhoIsNotHereIsToldToNobody) {
  put_order("a", "p9", number("T1"));
  EXPECT_THAT(find("T1").problem, HasSubstr("no patient that is here"));
  EXPECT_THAT(ids("T1"), ElementsAre());
}

TEST_F(PendingOrdersTest, OrdersThatDoNotFitLendNoNumber) {
  put("Patient", "p1", "");
  put_order("other", "p1", number("T1"));
  put_order("fits", "p1", number("T2"));
  EXPECT_THAT(specimens(9), ElementsAre("T2"));
}

}  // namespace
}  // namespace gateway::sync
