// A private key that signs JSON Web Tokens (RFC 7515, 7518): ES384 with a P-384 key, RS384 with an
// RSA one.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace gateway::crypto {

/// Use from one thread.
class JoseKey {
 public:
  /// PEM without a passphrase. Code::invalid: not a private key, or one that signs neither way (RSA
  /// needs 2,048 bits or more); never says anything of the content.
  static core::Result<std::unique_ptr<JoseKey>> read(std::string_view pem);
  virtual ~JoseKey() = default;
  virtual std::string_view algorithm() const = 0;  // "ES384" or "RS384"
  /// The compact form, header.claims.signature, of two JSON texts.
  virtual core::Result<std::string> sign(std::string_view header,
                                         std::string_view claims) const = 0;
};

}  // namespace gateway::crypto
