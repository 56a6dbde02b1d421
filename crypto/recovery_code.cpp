#include "crypto/recovery_code.h"

#include <array>
#include <cstdint>
#include <string>

#include "core/text.h"

namespace gateway::crypto {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kGroups = 8;
constexpr std::size_t kDigits = 4;  // of a group, before its check
constexpr std::size_t kGroupChars = kDigits + 1;
constexpr std::size_t kChars = kGroups * kGroupChars;
static_assert(kGroups * kDigits * 5 == kRecoveryCodeBytes * 8);

/// Multiplication in the field of 32 elements, by x^5 + x^2 + 1.
std::uint8_t times(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  for (unsigned bit = 0; bit < 5; ++bit) {
    if ((b >> bit & 1U) != 0) product ^= static_cast<unsigned>(a) << bit;
  }
  for (unsigned bit = 9; bit > 4; --bit) {
    if ((product >> bit & 1U) != 0) product ^= 0x25U << (bit - 5);
  }
  return static_cast<std::uint8_t>(product);
}

using Group = std::array<std::uint8_t, kGroupChars>;

/// Each digit by a weight of its own, so that exchanged digits change the sum; the group's number
/// too, so that exchanged groups do.
std::uint8_t check_of(const Group& group, std::size_t number) {
  std::uint8_t sum = 1;
  for (std::size_t i = 0; i < number; ++i) sum = times(sum, 2);
  std::uint8_t weight = 1;
  for (std::size_t i = 0; i < kDigits; ++i) {
    weight = times(weight, 2);
    sum ^= times(weight, group[i]);
  }
  return sum;
}

/// 20 bits of the code.
Group digits_of(std::span<const std::byte> bits, std::size_t number) {
  Group group{};
  for (std::size_t bit = 0; bit < kDigits * 5; ++bit) {
    const std::size_t at = number * kDigits * 5 + bit;
    const unsigned one = std::to_integer<unsigned>(bits[at / 8]) >> (7 - at % 8) & 1U;
    group[bit / 5] = static_cast<std::uint8_t>(group[bit / 5] * 2U + one);
  }
  return group;
}

void put_digits(const Group& group, std::size_t number, std::span<std::byte> bits) {
  for (std::size_t bit = 0; bit < kDigits * 5; ++bit) {
    const std::size_t at = number * kDigits * 5 + bit;
    const unsigned one = static_cast<unsigned>(group[bit / 5]) >> (4 - bit % 5) & 1U;
    bits[at / 8] |= static_cast<std::byte>(one << (7 - at % 8));
  }
}

/// 32: no character of a code.
std::uint8_t digit_of(char typed) {
  char c = typed >= 'a' && typed <= 'z' ? static_cast<char>(typed - 'a' + 'A') : typed;
  if (c == 'I' || c == 'L') c = '1';
  if (c == 'O') c = '0';
  const auto at = kAlphabet.find(c);
  return static_cast<std::uint8_t>(at == kAlphabet.npos ? kAlphabet.size() : at);
}

bool is_filler(char c) { return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

Error mistyped(const std::string& groups) {
  return {Code::invalid, cat("the recovery code is mistyped in group ", groups,
                             "; compare it with the paper and type it again")};
}

}  // namespace

RecoveryCode RecoveryCode::random() { return {Secret::random(kRecoveryCodeBytes)}; }

Secret write_recovery_code(const RecoveryCode& code) {
  Secret text(kChars + kGroups - 1);
  std::size_t at = 0;
  for (std::size_t number = 0; number < kGroups; ++number) {
    Group group = digits_of(code.bits.bytes(), number);
    group[kDigits] = check_of(group, number);
    if (number > 0) text.bytes()[at++] = std::byte{'-'};
    for (const std::uint8_t digit : group) {
      text.bytes()[at++] = static_cast<std::byte>(kAlphabet[digit]);
    }
  }
  return text;
}

core::Result<RecoveryCode> read_recovery_code(std::string_view typed) {
  Secret digits(kChars);
  std::size_t count = 0;
  for (const char c : typed) {
    if (is_filler(c)) continue;
    if (count < kChars) digits.bytes()[count] = static_cast<std::byte>(digit_of(c));
    ++count;
  }
  if (count != kChars) {
    return Error(Code::invalid, cat("a recovery code has ", kGroups, " groups of ", kGroupChars,
                                    " characters, ", kChars, " in all; this one has ", count));
  }
  RecoveryCode code{Secret(kRecoveryCodeBytes)};
  std::string wrong;
  for (std::size_t number = 0; number < kGroups; ++number) {
    Group group{};
    bool known = true;
    for (std::size_t i = 0; i < kGroupChars; ++i) {
      group[i] = std::to_integer<std::uint8_t>(digits.bytes()[number * kGroupChars + i]);
      known = known && group[i] < kAlphabet.size();
    }
    if (!known || group[kDigits] != check_of(group, number)) {
      wrong += cat(wrong.empty() ? "" : ", ", number + 1);
    } else {
      put_digits(group, number, code.bits.bytes());
    }
  }
  if (!wrong.empty()) return mistyped(wrong);
  return code;
}

}  // namespace gateway::crypto
