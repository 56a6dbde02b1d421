// Whatever a device sends, reading it ends: every fixture, damaged at random, becomes a message, a
// dead letter or nothing, and never a crash.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "adapters/astm/host_query.h"
#include "adapters/astm/message_reader.h"
#include "adapters/astm/rehearsal.h"

namespace gateway::adapters::astm {
namespace {

constexpr int kRounds = 150;

std::string mutated(std::string text, std::mt19937& random) {
  constexpr std::string_view kTelling = "|\\^&@HPORCQML\r\n\x02\x03\x05 -+.,<>\"0129\xff";
  for (unsigned changes = 1 + random() % 4; changes > 0 && !text.empty(); --changes) {
    const std::size_t at = random() % text.size();
    const char with = kTelling[random() % kTelling.size()];
    switch (random() % 4) {
      case 0:
        text[at] = with;
        break;
      case 1:
        text.insert(at, 1, with);
        break;
      case 2:
        text.erase(at, 1 + random() % 20);
        break;
      default:
        text.insert(at, text.substr(random() % text.size(), random() % 60));
    }
  }
  return text;
}

TEST(AstmMutations, NoDamageOfAFixtureHarms) {
  std::mt19937 random(3);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(GATEWAY_PROFILES)) {
    if (entry.path().extension() != ".astm") continue;
    const auto profile = profiles::load_profile(core::system_files(),
                                                entry.path().parent_path().parent_path().string());
    ASSERT_TRUE(profile.ok()) << entry.path();
    AstmDevice device;
    device.options.profile.name = "device";
    device.options.profile.specimen_id_issuer = "urn:example:specimens";
    device.profile = *profile;
    std::ifstream stream(entry.path(), std::ios::binary);
    const std::string fixture{std::istreambuf_iterator<char>(stream), {}};
    for (int round = 0; round < kRounds; ++round) {
      const std::string text = mutated(fixture, random);
      for (std::string& one : split_messages(text)) {
        const Read read = read_message(std::move(one), device, "test");
        ASSERT_NE(read.incoming, nullptr);
        if (read.message) asked_for(*read.message);
        // It must be storable as JSON.
        for (const sync::Draft& draft : read.incoming->drafts)
          EXPECT_TRUE(core::Json::parse(draft.body.dump()).ok()) << text;
      }
      const auto made = rehearse(*profile, text);
      (void)made;
    }
  }
}

TEST(AstmMutations, NoDamageOfAProfileHarms) {
  std::mt19937 random(5);
  const std::string csv =
      "code,unit,loinc,display,ucum\n\"A,1\",%,4548-4,\"a \"\"b\"\"\",%\nB,,,,\n";
  for (int round = 0; round < 5'000; ++round) {
    const auto map = profiles::CodeMap::parse(mutated(csv, random));
    if (map.ok()) map->find("A,1", "%");
  }
}

}  // namespace
}  // namespace gateway::adapters::astm
