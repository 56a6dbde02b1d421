// What an audit trail leaves of its past where neither its rows nor its keys tell any more.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::crypto {

/// A database was here that left its witness (crypto/audit_checkpoint.h).
core::Result<bool> has_audit_witness(core::Files& files, const std::string& state_folder);

/// A key that signed checkpoints under a root before, and the newest row it can have signed for.
struct FormerSigner {
  std::string public_key;
  std::int64_t last_sequence = 0;
};
core::Result<std::vector<FormerSigner>> former_signers(Connection& connection);
/// In the rotation of the root, once another key signs.
core::Status remember_signer(Connection& connection, std::uint32_t root,
                             const std::string& public_key);

}  // namespace gateway::crypto
