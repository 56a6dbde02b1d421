// Messages other projects publish, where they are at hand: each is read, mapped and stored, twice
// with the same outcome.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST_F(Hl7Test, EverySampleIsStored) {
  const std::filesystem::path folder = GATEWAY_SAMPLE_MESSAGES;
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  const char* dump = std::getenv("GATEWAY_DUMP_SAMPLES");
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".hl7") continue;
    SCOPED_TRACE(file.path().filename());
    open();
    const std::string bytes = content(file.path());
    const sync::Taken taken = take(bytes);
    EXPECT_NE(taken.outcome, sync::Taken::Outcome::dead) << taken.reason;
    EXPECT_EQ(take(bytes).answer, taken.answer);
    if (dump == nullptr) continue;
    std::cout << file.path().filename() << ": " << to_string(taken.outcome) << " " << taken.reason
              << " " << text(core::cat("SELECT became FROM message WHERE number = ", taken.number))
              << "\n";
  }
  if (dump == nullptr) return;
  auto rows = held_->database().read([&](crypto::Connection& connection) -> core::Status {
    GW_TRY(auto all, connection.query("SELECT body FROM resource_version ORDER BY type"));
    std::ofstream out(dump);
    while (true) {
      GW_TRY(const bool more, all.next());
      if (!more) return {};
      out << all.text(0) << "\n";
    }
  });
  EXPECT_TRUE(rows.ok());
}

}  // namespace
}  // namespace gateway::adapters::hl7
