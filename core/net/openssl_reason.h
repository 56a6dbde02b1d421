// What OpenSSL says of its last failure.
#pragma once

#include <string>

namespace gateway::core::net {

/// Why OpenSSL refused, for people, and an empty error queue for whoever comes next. Of the calling
/// thread.
std::string openssl_reason();

}  // namespace gateway::core::net
