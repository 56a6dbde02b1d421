// The SHA-256 of a held object's data set: what is compared when the bytes themselves are at
// another place, or gone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/result.h"
#include "crypto/digest.h"
#include "crypto/objects.h"

namespace gateway::sync {

std::string digest_text(const crypto::Digest& digest);

/// Hex digest of the object's bytes from `offset` on. Reads all of it: Code::corrupt where it is
/// damaged. `stopping`, asked between pieces, ends it with Code::cancelled.
core::Result<std::string> data_set_digest(crypto::ObjectStore& objects, const std::string& object,
                                          std::uint64_t offset,
                                          const std::function<bool()>& stopping = {});

}  // namespace gateway::sync
