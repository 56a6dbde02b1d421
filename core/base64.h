// Bytes as base64 with padding (RFC 4648 4), as FHIR's base64Binary and HTTP carry them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gateway::core {

std::string to_base64(std::string_view bytes);
/// Nothing: it is not base64. White space is passed over, as FHIR R4's base64Binary allows it.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace gateway::core
