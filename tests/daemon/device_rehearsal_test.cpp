// Every profile that is shipped makes of its fixtures what a person has reviewed.
#include "daemon/device_rehearsal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gateway::daemon {
namespace {

const adapters::profiles::Shelf kShelf{GATEWAY_PROFILES, "/nonexistent"};

TEST(Profiles, EveryShippedOneMakesOfItsFixturesWhatIsExpected) {
  core::Files& files = core::system_files();
  const auto ids = adapters::profiles::profile_ids(files, kShelf);
  ASSERT_TRUE(ids.ok());
  EXPECT_GE(ids->size(), 7U);
  for (const std::string& id : *ids) {
    const auto folder = adapters::profiles::profile_folder(files, kShelf, id);
    ASSERT_TRUE(folder.ok());
    const auto outcomes = rehearse_profile(files, *folder);
    ASSERT_TRUE(outcomes.ok()) << id << ": " << outcomes.error().message();
    EXPECT_FALSE(outcomes->empty()) << id;
    for (const adapters::profiles::FixtureOutcome& one : *outcomes)
      EXPECT_THAT(one.differences, ::testing::IsEmpty()) << id << "/" << one.name;
  }
}

}  // namespace
}  // namespace gateway::daemon
