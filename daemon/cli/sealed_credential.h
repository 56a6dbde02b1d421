// A slot's random bytes as a file that only this machine can unseal: systemd-creds(1), by the TPM
// or the host key. The bytes go through pipes, never through argument lists or the environment.
// Needs root, as systemd's keys do.
#pragma once

#include <string>

#include "core/result.h"
#include "crypto/slot_kinds.h"

namespace gateway::cli {

/// Where clinic-gateway-unlock@slot-key.service looks.
inline constexpr char kSealedSlotKey[] = "/etc/credstore.encrypted/clinic-gateway.sealed-slot-key";

struct Sealing {
  std::string with = "auto";  // "tpm2", "host"; "auto": tpm2 where there is one
  std::string pcrs = "7";  // tpm2 only: "7" ties to the boot chain's keys, "23" to the chip alone
  std::string device;      // of the TPM, as systemd-creds --tpm2-device takes it; empty: its own
  std::string file = kSealedSlotKey;
};

/// "tpm2" or "host" for what `sealing` asks. Code::unavailable when there is no usable TPM.
core::Result<std::string> kind_of_seal(const Sealing& sealing);
/// Seals into `<file>.new` and unseals it again to prove it. Code::exists when `file` is there.
core::Status seal_credential(const Sealing& sealing, const std::string& with,
                             const crypto::CredentialSecret& secret);
/// The proven file takes its place, durably.
core::Status settle_credential(const Sealing& sealing);
void drop_credential(const Sealing& sealing);

}  // namespace gateway::cli
