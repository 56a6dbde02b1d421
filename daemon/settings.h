// What the daemon itself reads from the configuration, and the checks that need more than one key
// or the file system. Values are read once at start.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/log.h"
#include "core/result.h"

namespace gateway::daemon {

inline constexpr char kConfigFile[] = "/etc/clinic-gateway/gateway.toml";
inline constexpr char kControlSocket[] = "/run/clinic-gateway/control.sock";

struct MqttSettings {
  std::string host;
  std::uint16_t port = 8883;
  std::string ca_file;           // empty: the system's store
  std::string certificate_file;  // empty: no client certificate
  std::string key_file;
  std::string username;
  std::string password_file;
  bool plain = false;
  std::string proxy;  // empty: none
  std::string proxy_username;
  std::string proxy_password_file;
  std::string topic_prefix;
  std::int64_t health_every_s = 30;
  std::string sparkplug_group;  // empty: status, health and metrics go as JSON
};

/// Commands of central operations over MQTT.
struct CommandSettings {
  std::vector<std::string> allowed;                // kinds; empty: none is listened for
  std::map<std::string, std::string> public_keys;  // PEM file by the key's name
};

struct Settings {
  std::string site_name;
  std::string time_zone;
  std::string state_folder;
  std::string wear_folder;
  std::uint64_t reserve_bytes = 0;
  std::string passphrase_file;  // empty: none configured
  std::string control_socket;
  std::int64_t audit_checkpoint_every_s = 300;
  core::Level log_level = core::Level::info;
  std::optional<MqttSettings> mqtt;  // absent: no broker
  CommandSettings commands;
  std::vector<std::string> config_problems;       // what was left out of the configuration, and why
  std::string dicom_fault;                        // why DICOM is not served; empty: it is
  std::vector<std::string> left_out_dicom_peers;  // as daemon/config_faults.h says
  bool is_hub = false;                            // by the command line: other gateways' upstream
};

/// The daemon's own keys.
std::vector<core::ConfigKey> daemon_config_keys();
/// The keys of all rooms, left to right.
std::vector<core::ConfigKey> all_config_keys();

/// Cannot fail on a Config that check_config() found no fatal mistake in.
Settings read_settings(const core::Config& config);

/// A mistake that Config cannot see. `fatal`: the value itself is wrong and is not used
/// (daemon/config_faults.h). Otherwise what the value names is not there, or not safe, at the
/// moment: the daemon starts, says so, and serves what works without it.
struct Mistake {
  std::string where;  // FILE:LINE
  std::string key;
  std::string what;  // and what to do
  bool fatal = true;

  std::string line() const;
};

/// Semantic checks over every key of every room, by what the key's last component is called:
/// `*_file` names a readable file (secrets: not open to others), `*url` is a URL with TLS unless it
/// is loopback or `plain_allowed` stands beside it. Reads the file system; opens no connection.
std::vector<Mistake> check_config(const core::Config& config,
                                  const std::vector<core::ConfigKey>& keys);

/// A name of the IANA time zone database that this system knows.
bool is_time_zone(const std::string& name);

}  // namespace gateway::daemon
