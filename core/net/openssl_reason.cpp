#include "core/net/openssl_reason.h"

#include <openssl/err.h>

namespace gateway::core::net {

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

}  // namespace gateway::core::net
