// The keyring file's content: key slots, each wrapping the same root key. What opens a slot becomes
// an X25519 key pair, and the root is sealed to its public half: a new root key can be sealed to
// every slot without anybody's passphrase. A MAC under the root covers the slots, so that nobody
// without it can slip in a slot or a public key of their own; a checksum tells a damaged file from
// a wrong passphrase. Format: docs/formats.md. No file access here; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crypto/passphrase_stretch.h"
#include "crypto/secret.h"
#include "crypto/slot_kinds.h"

namespace gateway::crypto {

/// What may be shown of a slot.
struct SlotInfo {
  std::string id;    // uuid
  std::string kind;  // "passphrase", "credential", "tang", "recovery", "escrow"
  std::string created;
  std::string label;   // a person's words
  std::string detail;  // credential: "tpm2" or "host"; tang: the URL; escrow: the key's fingerprint
};

/// How what is held is protected while this slot opens it: "tpm2" and "host" for credentials, else
/// the kind.
const std::string& protection_of(const SlotInfo& info);

struct KeySlot {
  SlotInfo info;
  PassphraseCost cost;              // passphrase
  std::string salt;                 // passphrase; raw bytes
  std::optional<TangBinding> tang;  // tang
  std::string public_key;           // X25519
  std::string sealed_key;           // the slot's wrapping key, sealed to public_key
  std::string wrapped_key;          // the root: nonce, sealed key, tag
};

/// A slot for `root`, opened again at once (an escrow slot cannot be).
core::Result<KeySlot> make_slot(const Secret& root, const NewSlot& wanted, PassphraseCost cost,
                                std::string created);
/// The root. Code::locked when the opener is not this slot's; Code::corrupt when it is and the slot
/// is damaged.
core::Result<Secret> open_slot(const KeySlot& slot, const SlotOpener& opener);
/// The same slots for another root: every opener opens them as before.
core::Result<std::vector<KeySlot>> reseal_slots(std::vector<KeySlot> slots, const Secret& root);

/// Which root the slots hold, and what of the ones before it is still needed.
struct RootRecord {
  std::uint32_t number = 1;  // roots are counted; the first is made with the keyring
  std::string box;           // whose backups these are; empty: derived from the root, the first one
  std::string previous;      // the root before, wrapped under this one while things still move
};
core::Result<std::string> wrap_previous_root(const Secret& root, std::uint32_t number,
                                             const Secret& previous);
core::Result<Secret> unwrap_previous_root(const Secret& root, const RootRecord& record);

core::Result<std::string> write_keyring_text(const std::vector<KeySlot>& slots, const Secret& root,
                                             const RootRecord& record = {});

struct KeyringText {
  std::vector<KeySlot> slots;
  RootRecord record;
  std::string authenticated;  // what the MAC covers
  std::string mac;
};
/// Code::corrupt when it is damaged; Code::invalid when a newer version wrote it.
core::Result<KeyringText> read_keyring_text(std::string_view text);
/// Code::corrupt when somebody without the root key wrote the slots.
core::Status check_keyring_mac(const KeyringText& text, const Secret& root);

}  // namespace gateway::crypto
