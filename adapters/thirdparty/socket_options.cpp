#include "adapters/thirdparty/socket_options.h"

#include "adapters/fields/field_devices.h"
#include "core/net/unix_listener.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "crypto/secret.h"

namespace gateway::adapters::thirdparty {
namespace {

using core::cat;
using core::Config;

constexpr std::string_view kSocketFolder = "/run/clinic-gateway-adapters/";

core::Error mistake(const Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, cat(config.where(key), ": ", key, ": ", what)};
}

core::Result<SocketDevice> read_device(const Config& config, fields::FieldDevice known) {
  const std::string& name = known.options.profile.name;
  const auto key = [&name](std::string_view last) { return cat("device.", name, ".", last); };
  std::string& path = known.options.listener.path;
  path = config.has(key("socket")) ? config.text(key("socket")) : cat(kSocketFolder, name, ".sock");
  if (!path.starts_with('/'))
    return mistake(config, key("socket"), "write the socket's absolute path");
  if (const auto checked = core::net::check_socket_path(path); !checked.ok())
    return mistake(config, key("socket"), checked.error().message());
  SocketDevice device;
  device.token_sha256 = core::to_lower_ascii(config.text(key("token_sha256")));
  if (core::from_hex(device.token_sha256).size() != crypto::Digest().size())
    return mistake(config, key("token_sha256"),
                   "must be 64 hexadecimal digits: printf %s TOKEN | sha256sum");
  device.messages_per_s = config.integer(key("messages_per_s"));
  device.device = std::move(known);
  return device;
}

}  // namespace

std::vector<core::ConfigKey> socket_config_keys() {
  using core::KeyType;
  return {
      {.path = "device.*.socket",
       .meaning = "socket: the Unix socket its adapter connects to, an absolute path; default: "
                  "/run/clinic-gateway-adapters/NAME.sock"},
      {.path = "device.*.token_sha256",
       .meaning = "socket: SHA-256 of the token its adapter shows, in hex"},
      {.path = "device.*.messages_per_s",
       .type = KeyType::integer,
       .meaning = "socket: messages taken a second, as many at once where none came before; the "
                  "others are to come later",
       .default_text = "100",
       .minimum = 1,
       .maximum = 10'000},
  };
}

bool SocketDevice::is_token(std::string_view shown) const {
  const crypto::Digest digest = crypto::sha256(crypto::as_octets(shown));
  return crypto::same_secret(crypto::Secret::copy_of(core::to_hex(crypto::as_text(digest))),
                             crypto::Secret::copy_of(token_sha256));
}

core::Result<std::vector<SocketDevice>> socket_devices(const Config& config, core::Files& files) {
  GW_TRY(auto known, fields::field_devices(config, files, "socket"));
  std::vector<SocketDevice> devices;
  for (fields::FieldDevice& one : known) {
    GW_TRY(SocketDevice device, read_device(config, std::move(one)));
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace gateway::adapters::thirdparty
