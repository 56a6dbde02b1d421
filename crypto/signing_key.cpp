#include "crypto/signing_key.h"

#include <sodium.h>

#include <array>
#include <utility>

#include "crypto/octets.h"
#include "crypto/pem_key.h"

namespace gateway::crypto {
namespace {

constexpr char kType[] = "ED25519";

}  // namespace

core::Result<VerifyingKey> read_verifying_key(std::string_view pem) {
  GW_TRY(std::string bytes, raw_public_key(pem, kType));
  return VerifyingKey{std::move(bytes)};
}

core::Result<SigningKey> read_signing_key(std::string_view pem) {
  GW_TRY(Secret seed, raw_private_key(pem, kType));
  return SigningKey{std::move(seed)};
}

core::Result<std::string> sign(const SigningKey& key, std::string_view text) {
  static_assert(crypto_sign_SEEDBYTES == kKeyBytes);
  Secret secret(crypto_sign_SECRETKEYBYTES);
  std::array<std::byte, crypto_sign_PUBLICKEYBYTES> open;
  std::string signature(crypto_sign_BYTES, '\0');
  const bool made =
      crypto_sign_seed_keypair(raw(std::span<std::byte>(open)), raw(secret.bytes()),
                               raw(key.seed.bytes())) == 0 &&
      crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr,
                           raw(as_octets(text)), text.size(), raw(secret.bytes())) == 0;
  if (!made) return core::Error(core::Code::internal, "libsodium refused to sign");
  return signature;
}

bool is_signed(const VerifyingKey& key, std::string_view text, std::string_view signature) {
  return key.bytes.size() == crypto_sign_PUBLICKEYBYTES && signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(raw(as_octets(signature)), raw(as_octets(text)), text.size(),
                                     raw(as_octets(key.bytes))) == 0;
}

}  // namespace gateway::crypto
