// A new keyring for a state folder that a bench fills, opened by a credential.
#pragma once

#include <memory>
#include <string>

#include "core/files.h"
#include "core/ids.h"
#include "crypto/keyring.h"

namespace gateway::bench {

/// `secret` becomes the credential that opens it.
inline core::Result<std::unique_ptr<crypto::Keyring>> make_keys(const std::string& folder,
                                                                std::string& secret) {
  secret = core::random_bytes(crypto::kKeyBytes);
  const crypto::Passphrase passphrase{crypto::Secret::copy_of(core::new_uuid())};
  GW_TRY(auto keyring,
         crypto::Keyring::create(core::system_files(), folder, passphrase, core::system_clock()));
  crypto::CredentialSecret credential{crypto::Secret::copy_of(secret)};
  GW_CHECK(keyring->add_slot({crypto::NewCredential{std::move(credential), "host"}, "bench"}));
  return keyring;
}

}  // namespace gateway::bench
