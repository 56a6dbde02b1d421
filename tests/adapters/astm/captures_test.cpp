// The captures of other projects pass, and become what was reviewed
// (tests/adapters/expected_outcome.h).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "adapters/astm/rehearsal.h"
#include "tests/adapters/expected_outcome.h"

namespace gateway::adapters::astm {
namespace {

struct Capture {
  const char* file;
  const char* profile;
  std::size_t resources;
};

const std::filesystem::path kExpected = GATEWAY_EXPECTED;

class Captures : public ::testing::TestWithParam<Capture> {};

TEST_P(Captures, BecomeWhatWasReviewedAndLoseNoResult) {
  const std::filesystem::path path =
      std::filesystem::path(GATEWAY_SAMPLE_CAPTURES) / GetParam().file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no sample captures here";
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  core::Files& files = core::system_files();
  auto profile =
      profiles::load_profile(files, std::string(GATEWAY_PROFILES) + "/" + GetParam().profile);
  ASSERT_TRUE(profile.ok()) << profile.error().message();
  profile->revision = "(revision)";
  const auto made = rehearse(*profile, bytes);
  ASSERT_TRUE(made.ok()) << made.error().message();
  const core::Json& message = (*made)["messages"][std::size_t{0}];
  EXPECT_EQ(message["dead_because"].text(), "");
  EXPECT_EQ(message["resources"].size(), GetParam().resources);
  expect_outcome(kExpected / (path.stem().string() + ".json"), *made);
}

INSTANTIATE_TEST_SUITE_P(Astm, Captures,
                         ::testing::Values(Capture{"abbott_afinion2.txt", "abbott-afinion-2", 3},
                                           Capture{"cobas_c111.txt", "roche-cobas-c111", 4},
                                           Capture{"dca_vantage.txt", "siemens-dca-vantage", 5},
                                           Capture{"genexpert.txt", "cepheid-genexpert", 87},
                                           Capture{"mini_vidas_mock.txt", "biomerieux-mini-vidas",
                                                   4},
                                           Capture{"sysmex_xp100.txt", "sysmex-xp-xn", 22}),
                         [](const auto& one) {
                           std::string name = one.param.file;
                           return name.substr(0, name.find('.'));
                         });

TEST(CapturesKept, EachIsReviewed) {
  if (!std::filesystem::exists(GATEWAY_SAMPLE_CAPTURES)) GTEST_SKIP() << "no sample captures here";
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(GATEWAY_SAMPLE_CAPTURES)) {
    names.insert(file.path().stem());
    EXPECT_TRUE(std::filesystem::exists(kExpected / (file.path().stem().string() + ".json")))
        << file.path() << " has no expected outcome: name it and its profile above";
  }
  expect_no_other(kExpected, names);
}

}  // namespace
}  // namespace gateway::adapters::astm
