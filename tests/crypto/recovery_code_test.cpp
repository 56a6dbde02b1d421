#include "crypto/recovery_code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/crypto/keys.h"

namespace gateway::crypto {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

std::string written(const RecoveryCode& code) { return text_of(write_recovery_code(code)); }

TEST(RecoveryCode, ComesBackAsItWasWritten) {
  for (int i = 0; i < 100; ++i) {
    const RecoveryCode code = RecoveryCode::random();
    const std::string text = written(code);
    ASSERT_EQ(text.size(), 47u);
    const auto read = read_recovery_code(text);
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(text_of(read->bits), text_of(code.bits));
  }
}

TEST(RecoveryCode, MayBeTypedTheWayPeopleType) {
  const RecoveryCode code{Secret(kRecoveryCodeBytes)};
  std::string text = written(code);
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    if (c == '-') return ' ';
    if (c == '0') return 'o';
    if (c == '1') return 'l';
    return static_cast<char>(std::tolower(c));
  });
  const auto read = read_recovery_code(text + "\r\n");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(text_of(read->bits), text_of(code.bits));
}

TEST(RecoveryCode, NamesTheGroupOfEverySingleSlip) {
  const std::string text = written(RecoveryCode::random());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '-') continue;
    for (const char c : kAlphabet) {
      if (c == text[at]) continue;
      std::string slipped = text;
      slipped[at] = c;
      const auto read = read_recovery_code(slipped);
      ASSERT_FALSE(read.ok()) << at << c;
      EXPECT_THAT(read.error().message(), HasSubstr("in group " + std::to_string(at / 6 + 1)));
      EXPECT_THAT(read.error().message(), Not(HasSubstr(slipped.substr(at / 6 * 6, 5))));
    }
  }
}

TEST(RecoveryCode, NoticesExchangedNeighboursAndExchangedGroups) {
  for (int i = 0; i < 20; ++i) {
    const std::string text = written(RecoveryCode::random());
    for (std::size_t at = 0; at + 1 < text.size(); ++at) {
      std::string slipped = text;
      std::swap(slipped[at], slipped[at + 1]);
      if (slipped == text || text[at] == '-' || text[at + 1] == '-') continue;
      EXPECT_FALSE(read_recovery_code(slipped).ok()) << at;
    }
    for (std::size_t a = 0; a < 8; ++a) {
      for (std::size_t b = a + 1; b < 8; ++b) {
        std::string slipped = text;
        std::swap_ranges(slipped.begin() + static_cast<std::ptrdiff_t>(a * 6),
                         slipped.begin() + static_cast<std::ptrdiff_t>(a * 6 + 5),
                         slipped.begin() + static_cast<std::ptrdiff_t>(b * 6));
        if (slipped == text) continue;
        EXPECT_FALSE(read_recovery_code(slipped).ok()) << a << ' ' << b;
      }
    }
  }
}

TEST(RecoveryCode, SaysHowLongItShouldBe) {
  const std::string text = written(RecoveryCode::random());
  EXPECT_THAT(read_recovery_code(text.substr(0, 41)).error().message(),
              HasSubstr("40 in all; this one has 35"));
  EXPECT_FALSE(read_recovery_code("").ok());
  EXPECT_FALSE(read_recovery_code(text + text).ok());
  EXPECT_THAT(read_recovery_code("U" + text.substr(1)).error().message(), HasSubstr("group 1;"));
}

}  // namespace
}  // namespace gateway::crypto
