// Central's escrow key: X25519 (RFC 7748), as OpenSSL writes it in PEM:
//   openssl genpkey -algorithm X25519 -out escrow.pem              stays at central, offline
//   openssl pkey -in escrow.pem -pubout -out escrow-public.pem     goes to the gateways
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

struct EscrowPublicKey {
  std::string bytes;  // kKeyBytes
};

/// Opens the slots that were sealed to its public half.
struct EscrowKey {
  Secret bytes;  // kKeyBytes
};

/// Code::invalid when it is no X25519 public key in PEM.
core::Result<EscrowPublicKey> read_escrow_public_key(std::string_view pem);
/// Code::invalid when it is no X25519 private key in PEM, or one with a password.
core::Result<EscrowKey> read_escrow_key(std::string_view pem);

/// The first 16 bytes of the key's SHA-256 in hex, for people to compare:
///   openssl pkey -pubin -in escrow-public.pem -outform DER | tail -c 32 | sha256sum
std::string fingerprint(const EscrowPublicKey& key);

}  // namespace gateway::crypto
