#include "crypto/escrow.h"

#include <utility>

#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "crypto/pem_key.h"

namespace gateway::crypto {
namespace {

constexpr char kType[] = "X25519";

}  // namespace

core::Result<EscrowPublicKey> read_escrow_public_key(std::string_view pem) {
  GW_TRY(std::string bytes, raw_public_key(pem, kType));
  return EscrowPublicKey{std::move(bytes)};
}

core::Result<EscrowKey> read_escrow_key(std::string_view pem) {
  GW_TRY(Secret bytes, raw_private_key(pem, kType));
  return EscrowKey{std::move(bytes)};
}

std::string fingerprint(const EscrowPublicKey& key) {
  return core::to_hex(as_text(sha256(as_octets(key.bytes))).substr(0, 16));
}

}  // namespace gateway::crypto
