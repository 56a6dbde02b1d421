// The recovery code: 160 random bits as eight groups of five characters that a person copies from
// paper, "7KQ2M-...". Four characters of a group carry 20 bits, the fifth checks them and the
// group's place, so that a slip names its group: every single wrong character, every swap of two
// neighbours and every swap of two groups shows. Letters I, L, O and U are not used (Crockford's
// base 32); I and L read as 1, O as 0, small letters as large ones; blanks and dashes don't count.
// The checks find slips, they prove nothing: whether the code opens shows at the key slot. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

constexpr std::size_t kRecoveryCodeBytes = 20;

struct RecoveryCode {
  Secret bits;  // kRecoveryCodeBytes

  static RecoveryCode random();
};

/// 47 characters.
Secret write_recovery_code(const RecoveryCode& code);
/// Code::invalid says which groups are mistyped, or how many characters there should be; never what
/// was typed.
core::Result<RecoveryCode> read_recovery_code(std::string_view typed);

}  // namespace gateway::crypto
