// The kinds of key slots, by what makes one and what opens one. docs/security.md says what each
// protects against.
#pragma once

#include <string>
#include <variant>

#include "crypto/escrow.h"
#include "crypto/recovery_code.h"
#include "crypto/secret.h"
#include "crypto/tang.h"

namespace gateway::crypto {

/// From a file, a systemd credential or the operator's terminal.
struct Passphrase {
  Secret text;
};

/// Random bytes that only this machine can unseal (systemd-creds).
struct CredentialSecret {
  Secret bytes;  // kKeyBytes
};

using SlotOpener = std::variant<Passphrase, CredentialSecret, TangSecret, RecoveryCode, EscrowKey>;
/// "passphrase", "credential", "tang", "recovery", "escrow".
std::string kind_of(const SlotOpener& opener);
SlotOpener clone(const SlotOpener& opener);

struct NewCredential {
  CredentialSecret secret;
  std::string sealed_with;  // "tpm2" or "host"
};

/// What a slot to be made is made of.
struct NewSlot {
  std::variant<Passphrase, NewCredential, BoundTang, RecoveryCode, EscrowPublicKey> means;
  std::string label;  // for people
};

}  // namespace gateway::crypto
