// The checksum of the small JSON files at rest (keyring.json, database-key.json): it tells a
// damaged file from a wrong key and protects from nobody (docs/formats.md).
#pragma once

#include <string>

#include "core/json.h"

namespace gateway::crypto {

/// SHA-256, in hexadecimal, of the document written compactly without its own `checksum` member.
std::string json_checksum(const core::Json& unsummed);

}  // namespace gateway::crypto
