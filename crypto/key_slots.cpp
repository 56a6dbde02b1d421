#include "crypto/key_slots.h"

#include <sodium.h>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/aes_gcm.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

using core::cat;
using core::Code;
using core::Error;

struct KeyPair {
  std::string public_key;
  Secret secret_key;
};

static_assert(crypto_box_PUBLICKEYBYTES == kKeyBytes && crypto_box_SECRETKEYBYTES == kKeyBytes &&
              crypto_box_SEEDBYTES == kKeyBytes);

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

KeyPair pair_from(const Secret& seed) {
  KeyPair pair{std::string(kKeyBytes, '\0'), Secret(kKeyBytes)};
  crypto_box_seed_keypair(bytes_of(pair.public_key), raw(pair.secret_key.bytes()),
                          raw(seed.bytes()));
  return pair;
}

/// Central's key is the pair's secret half itself, not a seed.
core::Result<KeyPair> pair_of_escrow(const EscrowKey& key) {
  KeyPair pair{std::string(kKeyBytes, '\0'), key.bytes.clone()};
  if (crypto_scalarmult_base(bytes_of(pair.public_key), raw(key.bytes.bytes())) != 0) {
    return Error(Code::invalid, "the escrow key is no usable X25519 key");
  }
  return pair;
}

/// The key pair that `opener` gives for `slot`; whether it is the slot's, its public half says.
core::Result<KeyPair> pair_of(const KeySlot& slot, const SlotOpener& opener) {
  if (const auto* escrow = std::get_if<EscrowKey>(&opener)) return pair_of_escrow(*escrow);
  if (const auto* passphrase = std::get_if<Passphrase>(&opener)) {
    GW_TRY(const Secret seed, stretch(*passphrase, slot.salt, slot.cost));
    return pair_from(seed);
  }
  std::span<const std::byte> material;
  if (const auto* credential = std::get_if<CredentialSecret>(&opener)) {
    material = credential->bytes.bytes();
  } else if (const auto* tang = std::get_if<TangSecret>(&opener)) {
    material = tang->bytes.bytes();
  } else if (const auto* recovery = std::get_if<RecoveryCode>(&opener)) {
    material = recovery->bits.bytes();
  }
  GW_TRY(const Secret seed, derive_from(material, cat("slot ", slot.info.kind)));
  return pair_from(seed);
}

std::string slot_associated(const KeySlot& slot) {
  return cat("clinic-gateway keyring slot 1 ", slot.info.kind, ' ', slot.info.id);
}

/// Fills sealed_key and wrapped_key.
core::Status seal_root(KeySlot& slot, const Secret& root) {
  const Secret wrapping = Secret::random(kKeyBytes);
  slot.sealed_key.assign(kKeyBytes + crypto_box_SEALBYTES, '\0');
  if (crypto_box_seal(bytes_of(slot.sealed_key), raw(wrapping.bytes()), wrapping.size(),
                      raw(as_octets(slot.public_key))) != 0) {
    return Error(Code::invalid, "the public key is not usable; make a new pair");
  }
  GW_TRY(const WrappedKey wrapped, wrap_key(wrapping, root, as_octets(slot_associated(slot))));
  slot.wrapped_key = as_text(wrapped);
  return {};
}

/// What `NewSlot` says goes into the slot; the opener that must open it, if the box has that.
class Means {
 public:
  Means(KeySlot& slot, PassphraseCost cost) : slot_(slot), cost_(cost) {}

  std::optional<SlotOpener> operator()(const Passphrase& passphrase) const {
    slot_.cost = cost_;
    slot_.salt = new_passphrase_salt();
    return Passphrase{passphrase.text.clone()};
  }
  std::optional<SlotOpener> operator()(const NewCredential& credential) const {
    slot_.info.detail = credential.sealed_with;
    return CredentialSecret{credential.secret.bytes.clone()};
  }
  std::optional<SlotOpener> operator()(const BoundTang& tang) const {
    slot_.info.detail = tang.binding.url;
    slot_.tang = tang.binding;
    return TangSecret{tang.secret.bytes.clone()};
  }
  std::optional<SlotOpener> operator()(const RecoveryCode& code) const {
    return RecoveryCode{code.bits.clone()};
  }
  std::optional<SlotOpener> operator()(const EscrowPublicKey& key) const {
    slot_.info.detail = fingerprint(key);
    slot_.public_key = key.bytes;
    return std::nullopt;
  }

 private:
  KeySlot& slot_;
  PassphraseCost cost_;
};

std::string kind_of(const NewSlot& wanted) {
  constexpr const char* kKinds[] = {"passphrase", "credential", "tang", "recovery", "escrow"};
  return kKinds[wanted.means.index()];
}

}  // namespace

const std::string& protection_of(const SlotInfo& info) {
  return info.kind == "credential" ? info.detail : info.kind;
}

core::Result<KeySlot> make_slot(const Secret& root, const NewSlot& wanted, PassphraseCost cost,
                                std::string created) {
  KeySlot slot;
  slot.info = {core::new_uuid(), kind_of(wanted), std::move(created), wanted.label, ""};
  const std::optional<SlotOpener> opener = std::visit(Means(slot, cost), wanted.means);
  if (opener) {
    GW_TRY(KeyPair pair, pair_of(slot, *opener));
    slot.public_key = std::move(pair.public_key);
  }
  GW_CHECK(seal_root(slot, root));
  if (!opener) return slot;
  GW_TRY(const Secret opened, open_slot(slot, *opener));
  if (!same_secret(opened, root)) {
    return Error(Code::internal, "a new key slot does not give back what was put into it");
  }
  return slot;
}

core::Result<Secret> open_slot(const KeySlot& slot, const SlotOpener& opener) {
  if (crypto::kind_of(opener) != slot.info.kind) {
    return Error(Code::locked, cat("this is a ", slot.info.kind, " slot"));
  }
  GW_TRY(const KeyPair pair, pair_of(slot, opener));
  if (pair.public_key != slot.public_key) {
    return Error(Code::locked, cat("the ", slot.info.kind, " does not open this key slot"));
  }
  Secret wrapping(kKeyBytes);
  if (crypto_box_seal_open(raw(wrapping.bytes()), raw(as_octets(slot.sealed_key)),
                           slot.sealed_key.size(), raw(as_octets(slot.public_key)),
                           raw(pair.secret_key.bytes())) != 0) {
    return Error(Code::corrupt, cat("the key slot ", slot.info.id, " is damaged"));
  }
  return unwrap_key(wrapping, as_octets(slot.wrapped_key), as_octets(slot_associated(slot)));
}

core::Result<std::vector<KeySlot>> reseal_slots(std::vector<KeySlot> slots, const Secret& root) {
  for (KeySlot& slot : slots) GW_CHECK(seal_root(slot, root));
  return slots;
}

}  // namespace gateway::crypto
