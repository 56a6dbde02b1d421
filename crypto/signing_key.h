// Ed25519 (RFC 8032) with keys as OpenSSL writes them in PEM:
//   openssl genpkey -algorithm ed25519 -out command.pem              stays at central
//   openssl pkey -in command.pem -pubout -out command-public.pem     goes to the gateways
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

struct VerifyingKey {
  std::string bytes;  // kKeyBytes
};

struct SigningKey {
  Secret seed;  // kKeyBytes
};

/// Code::invalid when it is no Ed25519 key in PEM, or a private one with a password.
core::Result<VerifyingKey> read_verifying_key(std::string_view pem);
core::Result<SigningKey> read_signing_key(std::string_view pem);

/// 64 bytes.
core::Result<std::string> sign(const SigningKey& key, std::string_view text);
bool is_signed(const VerifyingKey& key, std::string_view text, std::string_view signature);

}  // namespace gateway::crypto
