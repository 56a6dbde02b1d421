// A device that is called over MLLP.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/config.h"
#include "core/net/tls_context.h"
#include "core/net/url.h"
#include "core/result.h"

namespace gateway::adapters::hl7 {

struct MllpPeer {
  core::net::Url url;
  std::optional<core::net::TlsIdentity> tls;  // nothing: plain
  core::Milliseconds patience{60'000};        // with an answer
};

/// mllps://HOST:PORT, or mllp:// without TLS. Code::invalid names the place of `key` and what to
/// write instead.
core::Result<core::net::Url> mllp_url(const core::Config& config, const std::string& key);

/// What is trusted and shown there; null: plain. `held`, from the call before, as long as its files
/// are the same. Code::invalid names the file that cannot be used.
core::Result<std::shared_ptr<core::net::TlsContext>> tls_of(
    const MllpPeer& peer, std::shared_ptr<core::net::TlsContext> held);

}  // namespace gateway::adapters::hl7
