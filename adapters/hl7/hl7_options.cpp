#include "adapters/hl7/hl7_options.h"

#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;

/// The gateway's certificate for the device is the one it shows where it calls, too.
core::Result<std::optional<MllpPeer>> orders_peer(const core::Config& config,
                                                  const std::string& device) {
  const auto key = [&](std::string_view last) { return cat("device.", device, ".", last); };
  const auto wrong = [&](std::string_view last, std::string_view what) {
    return core::Error(core::Code::invalid,
                       cat(config.where(key(last)), ": ", key(last), ": ", what));
  };
  std::optional<MllpPeer> peer;
  if (!config.has(key("orders_url"))) return peer;
  if (!config.has(key("specimen_id_issuer"))) {
    return wrong("orders_url", cat("no order is known by the number on a tube; set ",
                                   key("specimen_id_issuer"), " too"));
  }
  peer.emplace();
  GW_TRY(peer->url, mllp_url(config, key("orders_url")));
  if (peer->url.tls) {
    peer->tls =
        core::net::TlsIdentity{peer->url.host, config.text(key("ca_file")),
                               config.text(key("certificate_file")), config.text(key("key_file"))};
  } else if (config.has(key("ca_file"))) {
    return wrong("ca_file", cat("is for TLS; write mllps:// in ", key("orders_url")));
  }
  return peer;
}

}  // namespace

core::Result<std::vector<Hl7Device>> hl7_devices(const core::Config& config) {
  GW_TRY(auto known, frame::read_devices(config, "hl7"));
  std::vector<Hl7Device> devices;
  for (frame::DeviceOptions& one : known) {
    Hl7Device& device = devices.emplace_back();
    static_cast<frame::DeviceOptions&>(device) = std::move(one);
    if (!device.model.empty()) {
      GW_TRY(device.model_profile,
             profiles::profile_of_device(config, core::system_files(), device.profile.name, "hl7"));
    }
    GW_CHECK(frame::check_it_calls(config, device, "HL7"));
    GW_TRY(device.orders, orders_peer(config, device.profile.name));
  }
  return devices;
}

}  // namespace gateway::adapters::hl7
