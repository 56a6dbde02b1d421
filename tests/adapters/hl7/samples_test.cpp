// Messages other projects publish, where they are at hand: each is read, mapped and stored, twice
// with the same outcome, and becomes what was reviewed (tests/adapters/expected_outcome.h).
#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapters/profiles/rehearsal.h"
#include "tests/adapters/expected_outcome.h"
#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::set<std::filesystem::path> samples() {
  std::set<std::filesystem::path> found;
  const std::filesystem::path folder = GATEWAY_SAMPLE_MESSAGES;
  if (!std::filesystem::exists(folder)) return found;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".hl7") found.insert(file.path());
  }
  return found;
}

TEST_F(Hl7Test, EverySampleIsStored) {
  if (samples().empty()) GTEST_SKIP() << GATEWAY_SAMPLE_MESSAGES << " is not here";
  for (const std::filesystem::path& file : samples()) {
    SCOPED_TRACE(file.filename());
    open();
    const std::string bytes = content(file);
    const sync::Taken taken = take(bytes);
    EXPECT_NE(taken.outcome, sync::Taken::Outcome::dead) << taken.reason;
    EXPECT_EQ(take(bytes).answer, taken.answer);
  }
}

TEST(Hl7Samples, EachBecomesWhatWasReviewed) {
  if (samples().empty()) GTEST_SKIP() << GATEWAY_SAMPLE_MESSAGES << " is not here";
  const std::filesystem::path expected = GATEWAY_EXPECTED;
  std::set<std::string> names;
  for (const std::filesystem::path& file : samples()) {
    names.insert(file.stem());
    core::Json messages = core::Json::array();
    for (std::string& one : cut_frame(content(file))) {
      const Read read = read_message(std::move(one), profiles::rehearsed_device(), "sample",
                                     core::system_clock());
      messages.add(profiles::outcome_of(*read.incoming));
    }
    expect_outcome(expected / (file.stem().string() + ".json"),
                   core::Json::object({{"messages", std::move(messages)}}));
  }
  expect_no_other(expected, names);
}

}  // namespace
}  // namespace gateway::adapters::hl7
