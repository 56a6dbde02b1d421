#include "crypto/json_checksum.h"

#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {

std::string json_checksum(const core::Json& unsummed) {
  return core::to_hex(as_text(sha256(as_octets(unsummed.dump()))));
}

}  // namespace gateway::crypto
