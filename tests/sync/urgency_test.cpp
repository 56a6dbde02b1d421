#include "sync/urgency.h"

#include <gtest/gtest.h>

namespace gateway::sync {
namespace {

Turn turn_of_text(std::string_view text) {
  auto parsed = core::Json::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return turn_of(*parsed);
}

TEST(Urgency, FollowsThePriorityOfARequest) {
  EXPECT_EQ(turn_of_text(R"({"resourceType":"ServiceRequest","priority":"stat"})"), Turn::stat);
  EXPECT_EQ(turn_of_text(R"({"resourceType":"ServiceRequest","priority":"asap"})"), Turn::asap);
  EXPECT_EQ(turn_of_text(R"({"resourceType":"Task","priority":"urgent"})"), Turn::urgent);
  EXPECT_EQ(turn_of_text(R"({"resourceType":"Task","priority":"routine"})"), Turn::routine);
  EXPECT_EQ(turn_of_text(R"({"resourceType":"Appointment","priority":1})"), Turn::routine);
  EXPECT_EQ(turn_of_text(R"({"resourceType":"Patient"})"), Turn::routine);
}

TEST(Urgency, ACriticalResultGoesWithWhatIsStat) {
  EXPECT_EQ(turn_of_text(R"({"interpretation":[{"coding":[{"code":"HH"}]}]})"), Turn::stat);
  EXPECT_EQ(turn_of_text(R"({"interpretation":[{"coding":[{"code":"H"}]}]})"), Turn::routine);
  EXPECT_EQ(
      turn_of_text(
          R"({"component":[{},{"interpretation":[{"text":"low"},{"coding":[{"code":"LL"}]}]}]})"),
      Turn::stat);
}

}  // namespace
}  // namespace gateway::sync
