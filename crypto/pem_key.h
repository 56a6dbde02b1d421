// Raw keys of one curve out of the PEM that OpenSSL writes. Pure; never asks for a password.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

/// kKeyBytes of `type`, as OpenSSL calls it ("X25519", "ED25519"). Code::invalid: it is no public
/// key of that type in PEM.
core::Result<std::string> raw_public_key(std::string_view pem, const char* type);
/// The same of a private key; Code::invalid also where it has a password.
core::Result<Secret> raw_private_key(std::string_view pem, const char* type);

}  // namespace gateway::crypto
