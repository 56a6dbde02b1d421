// What HTTP promises, of the local FHIR API.
#include <gtest/gtest.h>

#include <chrono>

#include "core/civil_time.h"
#include "fhir_api.h"

namespace gateway::daemon {
namespace {

// A gateway below a hub moves on by it, and finds deletions by it.
bool tells_the_time(const FhirAnswered& answered) {
  const auto said = core::parse_http_date(answered.http.header("Date"));
  const auto now = std::chrono::system_clock::now();
  return said && *said <= now && now - *said < std::chrono::minutes(1);
}

TEST_F(FhirApi, EveryAnswerTellsTheTime) {
  start();
  EXPECT_TRUE(tells_the_time(send("GET", "/Patient")));
  EXPECT_TRUE(tells_the_time(send("PUT", "/Patient/p1", kPatient)));
  EXPECT_TRUE(tells_the_time(send("DELETE", "/Patient/p1")));
  EXPECT_TRUE(tells_the_time(send("GET", "/Patient?name=" + std::string(20'000, 'x'))));
}

}  // namespace
}  // namespace gateway::daemon
