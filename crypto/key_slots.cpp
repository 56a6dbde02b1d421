#include "crypto/key_slots.h"

#include <sodium.h>

#include <algorithm>
#include <chrono>

#include "core/ids.h"
#include "core/json.h"
#include "core/text.h"
#include "crypto/aes_gcm.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::string_view kFormat = "clinic-gateway keyring";
constexpr std::int64_t kVersion = 1;
constexpr std::string_view kKindPassphrase = "passphrase";
constexpr std::string_view kKdfName = "argon2id13";
constexpr std::uint64_t kPassesMin = 4;  // twice the interactive limit, for half its memory
constexpr std::uint64_t kPassesMax = 64;
constexpr auto kTargetTime = std::chrono::milliseconds(500);
constexpr std::size_t kSlotsMax = 32;

static_assert(kPassphraseMemoryBytes >= crypto_pwhash_MEMLIMIT_INTERACTIVE / 2);

core::Result<Secret> stretch(const Passphrase& passphrase, std::string_view salt,
                             PassphraseCost cost) {
  Secret key(kKeyBytes);
  auto text = as_text(passphrase.text.bytes());
  int failed = crypto_pwhash(
      raw(key.bytes()), key.size(), text.data(), text.size(), raw(as_octets(salt)), cost.passes,
      static_cast<std::size_t>(cost.memory_bytes), crypto_pwhash_ALG_ARGON2ID13);
  if (failed != 0) {
    return core::Error(core::Code::internal,
                       core::cat("Argon2id needs ", cost.memory_bytes >> 20,
                                 " MiB of memory for a moment and did not get them; free some"));
  }
  return key;
}

std::string slot_associated(const KeySlot& slot) {
  return core::cat(kFormat, " slot ", kVersion, ' ', slot.info.kind, ' ', slot.info.id);
}

core::Json slot_to_json(const KeySlot& slot) {
  return core::Json::object({{"id", slot.info.id},
                             {"kind", slot.info.kind},
                             {"created", slot.info.created},
                             {"kdf", core::Json::object({{"name", kKdfName},
                                                         {"passes", slot.cost.passes},
                                                         {"memory_bytes", slot.cost.memory_bytes},
                                                         {"salt", core::to_hex(slot.salt)}})},
                             {"wrapped_key", core::to_hex(slot.wrapped_key)}});
}

core::Error damaged(std::string_view what) {
  return {core::Code::corrupt,
          core::cat("the key slots are damaged (", what, "); restore the file from a backup")};
}

core::Result<KeySlot> slot_from_json(const core::Json& json) {
  const core::Json& kdf = json["kdf"];
  KeySlot slot;
  slot.info = {std::string(json["id"].text()), std::string(json["kind"].text()),
               std::string(json["created"].text())};
  slot.cost.passes = static_cast<std::uint64_t>(kdf["passes"].integer().value_or(0));
  slot.cost.memory_bytes = static_cast<std::uint64_t>(kdf["memory_bytes"].integer().value_or(0));
  slot.salt = core::from_hex(kdf["salt"].text());
  slot.wrapped_key = core::from_hex(json["wrapped_key"].text());
  // The checksum is no authentication: whoever can write the file must not choose how much memory
  // and time opening takes.
  bool bounded = slot.cost.passes >= 1 && slot.cost.passes <= kPassesMax &&
                 slot.cost.memory_bytes >= crypto_pwhash_MEMLIMIT_MIN &&
                 slot.cost.memory_bytes <= kPassphraseMemoryBytes;
  if (slot.info.kind != kKindPassphrase || kdf["name"].text() != kKdfName || !bounded ||
      slot.info.id.empty() || slot.salt.size() != crypto_pwhash_SALTBYTES ||
      slot.wrapped_key.size() != kWrappedKeyBytes) {
    return damaged("a slot's fields are out of range");
  }
  return slot;
}

std::string checksum_of(const core::Json& unsummed) {
  return core::to_hex(as_text(sha256(as_octets(unsummed.dump()))));
}

}  // namespace

core::Result<PassphraseCost> measure_passphrase_cost(const core::Clock& clock) {
  PassphraseCost cost{kPassesMin, kPassphraseMemoryBytes};
  Passphrase probe{Secret(kKeyBytes)};
  std::string salt(crypto_pwhash_SALTBYTES, '\0');
  auto begun = clock.monotonic();
  GW_TRY(Secret unused, stretch(probe, salt, cost));
  auto taken = clock.monotonic() - begun;
  if (taken <= core::Monotonic::duration::zero()) return cost;
  auto passes =
      static_cast<std::uint64_t>(kTargetTime * static_cast<std::int64_t>(kPassesMin) / taken);
  cost.passes = std::clamp(passes, kPassesMin, kPassesMax);
  return cost;
}

core::Result<KeySlot> seal_passphrase_slot(const Secret& root, const Passphrase& passphrase,
                                           PassphraseCost cost, std::string created) {
  KeySlot slot;
  slot.info = {core::new_uuid(), std::string(kKindPassphrase), std::move(created)};
  slot.cost = cost;
  slot.salt = core::random_bytes(crypto_pwhash_SALTBYTES);
  GW_TRY(Secret wrapping, stretch(passphrase, slot.salt, cost));
  GW_TRY(WrappedKey wrapped, wrap_key(wrapping, root, as_octets(slot_associated(slot))));
  slot.wrapped_key = as_text(wrapped);
  return slot;
}

core::Result<Secret> open_passphrase_slot(const KeySlot& slot, const Passphrase& passphrase) {
  GW_TRY(Secret wrapping, stretch(passphrase, slot.salt, slot.cost));
  auto root = unwrap_key(wrapping, as_octets(slot.wrapped_key), as_octets(slot_associated(slot)));
  if (!root.ok() && root.error().code() == core::Code::corrupt) {
    return core::Error(core::Code::locked, "the passphrase does not open this key slot");
  }
  return root;
}

std::string write_keyring_text(const std::vector<KeySlot>& slots) {
  core::Json list = core::Json::array();
  for (const KeySlot& slot : slots) list.add(slot_to_json(slot));
  core::Json keyring =
      core::Json::object({{"format", kFormat}, {"version", kVersion}, {"slots", std::move(list)}});
  std::string checksum = checksum_of(keyring);
  keyring.set("checksum", std::move(checksum));
  return keyring.dump() + "\n";
}

core::Result<std::vector<KeySlot>> read_keyring_text(std::string_view text) {
  auto parsed = core::Json::parse(text);
  if (!parsed.ok()) return damaged("not JSON");
  core::Json& keyring = *parsed;
  if (keyring["format"].text() != kFormat) return damaged("another file's content");
  std::string checksum(keyring["checksum"].text());
  keyring.erase("checksum");
  if (checksum != checksum_of(keyring)) return damaged("its checksum does not fit");
  if (keyring["version"].integer() != kVersion) {
    return core::Error(
        core::Code::invalid,
        "the key slots were written by a newer clinic-gateway; install that version");
  }
  if (keyring["slots"].size() == 0 || keyring["slots"].size() > kSlotsMax) {
    return damaged("the number of slots is out of range");
  }
  std::vector<KeySlot> slots;
  for (const core::Json& item : keyring["slots"].items()) {
    GW_TRY(KeySlot slot, slot_from_json(item));
    slots.push_back(std::move(slot));
  }
  return slots;
}

}  // namespace gateway::crypto
