// One TLS handshake with a server, for the operator: is it reached, is it trusted, and for how many
// days yet. Nothing is sent after the handshake.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/net/http_tunnel.h"
#include "core/net/tls_context.h"
#include "core/result.h"

namespace gateway::core::net {

struct TlsPeer {
  std::string protocol;        // "TLSv1.3"
  std::int64_t days_left = 0;  // of the certificate of the verified chain that ends first
  std::string ends;            // its last day, YYYY-MM-DD
};

/// Blocks until done or `timeout`; any thread. `proxy`: asked for a tunnel, null for none.
/// Code::unavailable (not reached), Code::untrusted (the message says which check failed and what
/// to do), Code::invalid (a file of the identity).
Result<TlsPeer> probe_tls(TlsIdentity identity, std::uint16_t port, Milliseconds timeout,
                          const HttpProxy* proxy = nullptr);

/// Whether something listens there: connects and closes. Code::unavailable when not.
Status probe_tcp(const std::string& host, std::uint16_t port, Milliseconds timeout,
                 const HttpProxy* proxy = nullptr);

}  // namespace gateway::core::net
