// The machine's part of a credential slot: the systemd credential "slot-key" (systemd.exec(5),
// $CREDENTIALS_DIRECTORY), 64 hexadecimal digits. clinic-gateway-unlock@slot-key.service hands it
// over by the control socket instead where it has to be unsealed first: a credential that does not
// unseal would keep the daemon's own unit from starting. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/slot_kinds.h"

namespace gateway::daemon {

inline constexpr char kSlotCredential[] = "slot-key";

/// Code::invalid when it is not 64 hexadecimal digits; the error does not quote them.
core::Result<crypto::CredentialSecret> read_slot_key(std::string_view text);
/// The inverse.
crypto::Secret write_slot_key(const crypto::CredentialSecret& secret);

/// Nothing when systemd gave the daemon no such credential; else it, or why it cannot be read.
std::optional<core::Result<crypto::CredentialSecret>> credential_of(
    const std::string& credentials_folder);

}  // namespace gateway::daemon
