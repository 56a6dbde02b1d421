// Bytes as base64 (RFC 4648 4), as FHIR attachments carry them.
#pragma once

#include <string>
#include <string_view>

namespace gateway::adapters::mapping {

std::string base64(std::string_view bytes);

}  // namespace gateway::adapters::mapping
