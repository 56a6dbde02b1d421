// From a passphrase to a key: Argon2id (RFC 9106) with one lane. Memory is bounded by
// kPassphraseMemoryBytes: it is held for the derivation only. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/slot_kinds.h"

namespace gateway::crypto {

struct PassphraseCost {
  std::uint64_t passes = 0;
  std::uint64_t memory_bytes = 0;
};
constexpr std::uint64_t kPassphraseMemoryBytes = 32U << 20;

/// What takes about half a second on this machine; the least allowed cost when the clock stands
/// still.
core::Result<PassphraseCost> measure_passphrase_cost(const core::Clock& clock);
/// False for a cost that would exhaust the box, or that libsodium refuses.
bool is_bearable(PassphraseCost cost);

std::string new_passphrase_salt();
bool is_passphrase_salt(std::string_view salt);
core::Result<Secret> stretch(const Passphrase& passphrase, std::string_view salt,
                             PassphraseCost cost);

}  // namespace gateway::crypto
