#include "adapters/dicom/uplink_options.h"

#include <algorithm>

#include "core/net/url.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

core::Error wrong(const core::Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, core::cat(config.where(key), ": ", key, ": ", what)};
}

/// What would have no effect.
core::Status check_keys(const core::Config& config, const std::string& uplink) {
  for (const char* last : {"url",
                           "ca_file",
                           "certificate_file",
                           "key_file",
                           "username",
                           "password_file",
                           "proxy",
                           "proxy_username",
                           "proxy_password_file",
                           "token_url",
                           "client_id",
                           "client_key_file",
                           "client_key_id",
                           "scope",
                           "poll_s",
                           "pull",
                           "token_file",
                           "order_categories",
                           "order_codes",
                           "order_performers",
                           "order_message",
                           "compress",
                           "resumable_url",
                           "resumable_over_mb",
                           "resumable_token_file"}) {
    const std::string key = core::cat(uplink, ".", last);
    if (!config.has(key)) continue;
    return wrong(config, key,
                 "means nothing to an uplink of kind dicom; remove it (address and TLS are set in "
                 "[dicom.peer.NAME])");
  }
  return {};
}

bool is_on_this_machine(const std::string& host) {
  const bool is_ipv6 = host.find(':') != host.npos;
  const auto url =
      core::net::parse_url(core::cat("https://", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : ""));
  return url.ok() && url->loopback();
}

core::Status check_peer(const core::Config& config, const std::string& key, const DicomPeer& peer,
                        bool may_be_plain) {
  const std::string table = core::cat("[dicom.peer.", peer.name, "]");
  if (peer.host.empty()) return wrong(config, key, core::cat(table, " has no host; set it"));
  if (peer.ae_title.find_first_of("*?") != peer.ae_title.npos)
    return wrong(config, key, core::cat(table, " has a pattern as ae_title; set the PACS's own"));
  if (!peer.tls && !may_be_plain && !is_on_this_machine(peer.host)) {
    return wrong(config, key,
                 core::cat(table,
                           " has no TLS: images would go in the clear; set tls = true there, or "
                           "plain = true here where the network is protected otherwise"));
  }
  return {};
}

}  // namespace

core::Result<DicomUplink> dicom_uplink(const core::Config& config, const std::string& name) {
  const std::string uplink = core::cat("uplink.", name);
  const std::string key = core::cat(uplink, ".peer");
  GW_CHECK(check_keys(config, uplink));
  GW_TRY(const DicomOptions options, dicom_options(config));
  const std::string wanted = config.text(key);
  if (wanted.empty())
    return wrong(config, key, "is missing; name the [dicom.peer.NAME] of the PACS");
  const auto peer =
      std::ranges::find_if(options.peers, [&](const DicomPeer& one) { return one.name == wanted; });
  if (peer == options.peers.end())
    return wrong(config, key, core::cat("there is no [dicom.peer.", wanted, "]; add it"));
  GW_CHECK(check_peer(config, key, *peer, config.boolean(core::cat(uplink, ".plain"))));
  DicomUplink made;
  made.name = name;
  made.peer = *peer;
  made.calling_title = options.ae_title;
  made.send_bytes_per_second =
      static_cast<std::uint64_t>(config.integer(core::cat(uplink, ".send_kbit_per_s"))) * 1'000 / 8;
  made.patience = core::Milliseconds(config.integer(core::cat(uplink, ".idle_timeout_s")) * 1'000);
  return made;
}

}  // namespace gateway::adapters::dicom
