// Base64 for URLs without padding (RFC 4648 5), as JOSE writes binary values. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gateway::crypto {

std::string to_base64url(std::string_view bytes);
/// Nothing when `text` is not canonical.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace gateway::crypto
