// What becomes of each sample message of other projects (../shared/data), reviewed by hand against
// the tables of the v2-to-FHIR IG and kept in tests/adapters/*/expected.
//
// A failure names each place where they differ. Where the new outcome is right, write it and look
// at every line of `git diff` before it is committed:
//
//   GATEWAY_WRITE_EXPECTED=1 build/dev/tests/adapters/hl7_tests --gtest_filter='*Reviewed*'
//   GATEWAY_WRITE_EXPECTED=1 build/dev/tests/adapters/astm_tests --gtest_filter='*Reviewed*'
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "adapters/profiles/difference.h"
#include "core/files.h"
#include "core/json.h"
#include "core/text.h"

namespace gateway::adapters {

constexpr std::size_t kExpectedBytesMax = 16U << 20;

/// `file`: where the expected outcome is kept. One that is missing is a failure.
inline void expect_outcome(const std::filesystem::path& file, const core::Json& outcome) {
  if (std::getenv("GATEWAY_WRITE_EXPECTED") != nullptr) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << profiles::pretty(outcome);
    return;
  }
  const auto text = core::read_whole_file(core::system_files(), file, kExpectedBytesMax);
  ASSERT_TRUE(text.ok()) << text.error().message();
  const auto expected = core::Json::parse(*text);
  ASSERT_TRUE(expected.ok()) << file << ": " << expected.error().message();
  for (const std::string& line : profiles::difference(*expected, outcome))
    ADD_FAILURE() << file.filename() << ": " << line;
}

/// Each expected outcome is of a sample that is there: `samples` are their files' names.
inline void expect_no_other(const std::filesystem::path& folder,
                            const std::set<std::string>& samples) {
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(samples.contains(file.path().stem())) << file.path() << " is of no sample";
  }
}

}  // namespace gateway::adapters
