// The keyring file's content: key slots, each wrapping the same root key, and a checksum that tells
// a damaged file from a wrong passphrase. Format: docs/formats.md. No file access here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/keyring.h"
#include "crypto/secret.h"

namespace gateway::crypto {

/// Argon2id (RFC 9106) with one lane. Memory is bounded by kPassphraseMemoryBytes: it is held for
/// the derivation only.
struct PassphraseCost {
  std::uint64_t passes = 0;
  std::uint64_t memory_bytes = 0;
};
constexpr std::uint64_t kPassphraseMemoryBytes = 32U << 20;

/// What takes about half a second on this machine; the least allowed cost when the clock stands
/// still.
core::Result<PassphraseCost> measure_passphrase_cost(const core::Clock& clock);

struct KeySlot {
  SlotInfo info;
  PassphraseCost cost;
  std::string salt;         // raw bytes
  std::string wrapped_key;  // raw bytes: nonce, sealed root key, tag
};

core::Result<KeySlot> seal_passphrase_slot(const Secret& root, const Passphrase& passphrase,
                                           PassphraseCost cost, std::string created);
/// Code::locked when the passphrase does not open it.
core::Result<Secret> open_passphrase_slot(const KeySlot& slot, const Passphrase& passphrase);

std::string write_keyring_text(const std::vector<KeySlot>& slots);
/// Code::corrupt when it is damaged; Code::invalid when a newer version wrote it.
core::Result<std::vector<KeySlot>> read_keyring_text(std::string_view text);

}  // namespace gateway::crypto
