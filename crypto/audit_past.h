// What an audit trail leaves of its past where its rows are gone.
#pragma once

#include <string>

#include "core/files.h"
#include "core/result.h"

namespace gateway::crypto {

/// A database was here that left its witness (crypto/audit_checkpoint.h).
core::Result<bool> has_audit_witness(core::Files& files, const std::string& state_folder);

}  // namespace gateway::crypto
