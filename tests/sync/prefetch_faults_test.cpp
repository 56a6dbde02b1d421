// A PACS that fails, in part or for a while; a gateway that stops: what was begun goes on, what
// does not become whole does not stay.
#include "tests/sync/prefetch_fixture.h"

namespace gateway::sync {
namespace {

TEST_F(PrefetchTest, AStopGivesNothingUp) {
  at_pacs_study("1.2", 1, std::string(200'000, 'a'));
  fetch_all();
  prefetch_.policy.quota_bytes = report_.held_bytes + 100;
  schedule("s2", std::chrono::hours(3));
  at_pacs_study("1.3", 1, std::string(200'000, 'b'));
  stops_at_an_instance_ = true;
  fetch_all();
  EXPECT_TRUE(is_stopping_.load());
  EXPECT_EQ(report_.given_up, 0u);
  stops_at_an_instance_ = is_stopping_ = false;
  prefetch_.policy.quota_bytes = kQuota;
  fetch_all();
  EXPECT_EQ(held(), "1.2.1,1.3.1");
}

TEST_F(PrefetchTest, AnErrorOfThePacsThatPassesGivesNothingUp) {
  at_pacs_study("1.2", 1);
  for (const char* words : {"PatientID=P1", "/1.2/instances?", "/instances/1.2.1"}) {
    fail_at(words, 2);
    for (int i = 0; i < 2; ++i) {
      fetch_all();
      EXPECT_NE(report_.problem.find("500"), std::string::npos) << words;
      EXPECT_EQ(held(), "");
      clock_.passed += std::chrono::minutes(11);
    }
  }
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  EXPECT_EQ(report_.given_up, 0u);
}

TEST_F(PrefetchTest, WhatThePacsAlwaysFailsAtHoldsNothingElseBackAndIsGivenUp) {
  at_pacs_study("1.2", 2);
  at_pacs_study("1.3", 1);
  fail_at("/instances/1.2.2", 1'000);
  for (int i = 0; i < 3; ++i) fetch_all();
  EXPECT_EQ(held(), "1.2.1,1.3.1");
  EXPECT_EQ(report_.given_up, 0u);
  EXPECT_EQ(failures_.studies.size(), 1u);
  fetch_until_given_up();
  EXPECT_EQ(report_.given_up, 1u);
  EXPECT_EQ(held(), "1.3.1") << "half a study would pass for a whole one";
  EXPECT_TRUE(failures_.studies.empty());
}

TEST_F(PrefetchTest, ALookUpThatAlwaysFailsHoldsNoOtherVisitBack) {
  register_patient("p2", "P2", "Poe");
  schedule("s2", std::chrono::hours(1), 1, "p2");
  at_pacs_study("1.2", 1);
  fail_at("PatientID=P2", 1'000);
  for (int i = 0; i < 2; ++i) fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_visit"), 1);
  fetch_until_given_up();
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_visit"), 2);
  EXPECT_TRUE(failures_.look_ups.empty());
}

TEST_F(PrefetchTest, WhatFailedForAVisitThatIsCalledOffIsForgotten) {
  register_patient("p2", "P2", "Poe");
  schedule("s2", std::chrono::hours(3), 1, "p2");
  at_pacs_study("1.2", 1);
  fail_at("/instances/1.2.1", 1'000);
  fail_at("PatientID=P2", 1'000);
  for (int i = 0; i < 2; ++i) fetch_all();
  EXPECT_EQ(failures_.studies.size(), 1u);
  EXPECT_EQ(failures_.look_ups.size(), 1u);
  schedule("s1", std::chrono::hours(90), 2);
  schedule("s2", std::chrono::hours(90), 2, "p2");
  fetch_all();
  EXPECT_TRUE(failures_.studies.empty());
  EXPECT_TRUE(failures_.look_ups.empty());
}

TEST_F(PrefetchTest, AMistakeInOurSettingsGivesNothingUp) {
  at_pacs_study("1.2", 1);
  serves_left_ = 0;
  fetch_all();
  ASSERT_EQ(count("SELECT count(*) FROM prefetch_study WHERE state = 'wanted'"), 1);
  is_cut_ = false;
  serves_left_ = 1'000;
  const auto connect = options_.connect;
  options_.connect =
      [](boost::asio::any_io_executor,
         const std::string&) -> core::Result<std::shared_ptr<core::net::HttpClient>> {
    return core::Error(core::Code::invalid, "the certificate of the uplink cannot be read");
  };
  fetch_all();
  EXPECT_NE(report_.problem.find("certificate"), std::string::npos);
  EXPECT_EQ(report_.given_up, 0u);
  options_.connect = connect;
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
}

TEST_F(PrefetchTest, OfWhatDoesNotFitNoPartIsKept) {
  prefetch_.policy.quota_bytes = 250'000;
  at_pacs_study("1.2", 3, std::string(100'000, 'a'));
  schedule("s2", std::chrono::hours(3));
  EXPECT_TRUE(fetch(1));
  EXPECT_EQ(report_.given_up, 1u);
  EXPECT_EQ(held(), "");
  fetch_all();
  EXPECT_EQ(report_.given_up, 2u) << "for the other visit as well";
  EXPECT_EQ(held(), "");
}

TEST_F(PrefetchTest, HalfAStudyGoesWithTheLastVisitThatWantsIt) {
  at_pacs_study("1.2", 3);
  schedule("s2", std::chrono::hours(3));
  serves_left_ = 1;
  fetch_all();
  write([](Connection& c) -> core::Status {
    GW_CHECK(c.run("INSERT INTO prefetch_visit (service_request, patient) VALUES ('s2', 'p1')"));
    return c.run(
        "INSERT INTO prefetch_study (service_request, place, study_uid) VALUES ('s2', 1, '1.2')");
  });
  ASSERT_EQ(held(), "1.2.1");
  schedule("s1", std::chrono::hours(90), 2);
  fetch_all();
  EXPECT_EQ(held(), "1.2.1") << "the other visit waits for it";
  schedule("s2", std::chrono::hours(90), 2);
  fetch_all();
  EXPECT_EQ(held(), "");
}

TEST_F(PrefetchTest, AStudyThePacsListsAndHasNothingOfIsGivenUp) {
  at_pacs_study("1.2", 0);
  fetch_all();
  EXPECT_EQ(report_.studies, 0u);
  EXPECT_EQ(report_.given_up, 1u);
}

TEST_F(PrefetchTest, ManyStudiesComeInPagesAndWhatIsNoUidInNone) {
  for (int i = 0; i < 501; ++i)
    at_pacs_study(core::cat("1.2.", i), 0, "", {.id = "P2", .date = day_ago(10)});
  at_pacs_study("", 0);
  at_pacs_study("1.3", 1);
  fetch_all();
  EXPECT_EQ(held(), "1.3.1");
  EXPECT_EQ(lookups(), 1) << "the whole of it came at once, and again for the second page";
  not_at_pacs_study("1.3");
  at_pacs_study("1.4/../../x", 1);
  schedule("s2", std::chrono::hours(3));
  fetch_all();
  EXPECT_EQ(held(), "1.3.1");
  EXPECT_NE(report_.problem.find("no UID"), std::string::npos);
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_study"), 1);
}

}  // namespace
}  // namespace gateway::sync
