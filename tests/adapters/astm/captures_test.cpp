// The captures of other projects pass.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "adapters/astm/rehearsal.h"
#include "adapters/profiles/difference.h"

namespace gateway::adapters::astm {
namespace {

struct Capture {
  const char* file;
  const char* profile;
  std::size_t resources;
};

class Captures : public ::testing::TestWithParam<Capture> {};

TEST_P(Captures, BecomeResourcesAndLoseNoResult) {
  const std::string path = std::string(GATEWAY_SAMPLE_CAPTURES) + "/" + GetParam().file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no sample captures here";
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  core::Files& files = core::system_files();
  const auto profile =
      profiles::load_profile(files, std::string(GATEWAY_PROFILES) + "/" + GetParam().profile);
  ASSERT_TRUE(profile.ok()) << profile.error().message();
  const auto made = rehearse(*profile, bytes);
  ASSERT_TRUE(made.ok()) << made.error().message();
  const core::Json& message = (*made)["messages"][std::size_t{0}];
  EXPECT_EQ(message["dead_because"].text(), "");
  EXPECT_EQ(message["resources"].size(), GetParam().resources);
  if (std::getenv("SHOW_CAPTURES") != nullptr) std::cout << profiles::pretty(*made);
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

}  // namespace
}  // namespace gateway::adapters::astm
