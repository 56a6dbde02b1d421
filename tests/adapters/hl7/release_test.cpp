// Results that wait for a person, and their release.
#include "sync/release.h"

#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::Json;

class Hl7Release : public Hl7Test {
 protected:
  Json waiting() {
    const auto report = held_->database().read_value<Json>(sync::unreleased_report);
    EXPECT_TRUE(report.ok()) << report.error().message();
    return report.ok() ? (*report)["results"] : Json::array();
  }
  core::Result<std::vector<std::string>> release(std::int64_t number) {
    std::vector<std::string> released;
    const auto work = [&](crypto::Connection& connection) -> core::Status {
      const sync::Releasing with{
          held_->audit(), core::system_clock(), held_->options().ingest.fhir_uplinks,
          "Dr. A. Roe",   "operator",           "local"};
      GW_TRY(released, sync::release_results(connection, with, number));
      return {};
    };
    GW_CHECK(held_->database().write(work));
    return released;
  }
};

TEST_F(Hl7Release, APersonMakesWhatAMessageToldFinalWithProvenance) {
  const auto taken = take(oru("1", "91"));
  const Json list = waiting();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list.items()[0]["number"].integer(), taken.number);
  EXPECT_EQ(list.items()[0]["device"].text(), "lab");
  EXPECT_EQ(list.items()[0]["items"].items()[1]["value"].text(), "91 mg/dL");

  const auto released = release(taken.number);
  ASSERT_TRUE(released.ok()) << released.error().message();
  EXPECT_EQ(released->size(), 2U);
  EXPECT_EQ(resource("Observation")["status"].text(), "final");
  EXPECT_EQ(resource("DiagnosticReport")["status"].text(), "final");
  const Json told = resource("Provenance");
  EXPECT_EQ(told["target"].size(), 2U);
  EXPECT_EQ(told["agent"].items()[0]["who"]["display"].text(), "Dr. A. Roe");
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'release' AND actor = 'operator'"), 1);
  EXPECT_EQ(waiting().size(), 0U);
  EXPECT_EQ(release(taken.number).error().code(), core::Code::not_found);
}

TEST_F(Hl7Release, WhatWasReleasedStaysSoUntilItIsCorrected) {
  const auto taken = take(oru("1", "91"));
  ASSERT_TRUE(release(taken.number).ok());
  take(oru("2", "91", "F", "20260301111500+0100"));
  EXPECT_EQ(resource("Observation")["status"].text(), "final");
  take(oru("3", "92", "C", "20260301121500+0100"));
  EXPECT_EQ(resource("Observation")["status"].text(), "corrected");
  EXPECT_EQ(waiting().size(), 0U);
}

TEST_F(Hl7Release, WhatAnotherMessageToldSinceIsItsOwn) {
  const auto first = take(oru("1", "91", "P"));
  const auto second = take(oru("2", "93", "F", "20260301111500+0100"));
  EXPECT_EQ(release(first.number).error().code(), core::Code::not_found);
  EXPECT_EQ(resource("Observation")["status"].text(), "preliminary");
  ASSERT_TRUE(release(second.number).ok());
  EXPECT_EQ(resource("Observation")["valueQuantity"]["value"].number_text(), "93");
}

TEST_F(Hl7Release, WhatTheSiteDeclaresVerifiedWaitsForNobody) {
  device_.autoverified = {"2345-7"};
  take(oru("1", "91"));
  EXPECT_EQ(waiting().size(), 0U);
}

}  // namespace
}  // namespace gateway::adapters::hl7
