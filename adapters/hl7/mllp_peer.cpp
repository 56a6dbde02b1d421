#include "adapters/hl7/mllp_peer.h"

#include "core/text.h"

namespace gateway::adapters::hl7 {

using core::cat;

core::Result<core::net::Url> mllp_url(const core::Config& config, const std::string& key) {
  constexpr std::string_view kTls = "mllps://";
  constexpr std::string_view kPlain = "mllp://";
  const auto wrong = [&](std::string_view what) {
    return core::Error(core::Code::invalid, cat(config.where(key), ": ", key, ": ", what));
  };
  const std::string text = config.text(key);
  const bool is_tls = text.starts_with(kTls);
  if (!is_tls && !text.starts_with(kPlain))
    return wrong("is no address of a device; write mllps://HOST:PORT");
  const std::string rest = text.substr((is_tls ? kTls : kPlain).size());
  auto url = core::net::parse_url(cat("https://", rest));
  if (!url.ok() || !url->base.empty() || !rest.ends_with(cat(":", url->port)))
    return wrong(cat("\"", text, "\" is no address; write mllps://HOST:PORT"));
  url->tls = is_tls;
  return *url;
}

core::Result<std::shared_ptr<core::net::TlsContext>> tls_of(
    const MllpPeer& peer, std::shared_ptr<core::net::TlsContext> held) {
  if (!peer.tls || (held && held->is_current())) return held;
  GW_TRY(auto made, core::net::TlsContext::create(*peer.tls));
  return std::shared_ptr<core::net::TlsContext>(std::move(made));
}

}  // namespace gateway::adapters::hl7
