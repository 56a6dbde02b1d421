#include "daemon/settings.h"

#include "adapters/dicom/dicom_options.h"
#include "adapters/filedrop/folder_options.h"
#include "adapters/frame/device_options.h"
#include "adapters/mqtt/mqtt_options.h"
#include "adapters/thirdparty/socket_options.h"
#include "core/text.h"
#include "daemon/api/access.h"
#include "daemon/api/console/console_server.h"
#include "daemon/api/metrics_face.h"
#include "sync/options.h"

namespace gateway::daemon {

using core::ConfigKey;
using core::KeyType;

std::vector<ConfigKey> daemon_config_keys() {
  return {
      {.path = "site.name",
       .meaning = "name of this gateway among all, in MQTT topics: a-z, 0-9 and -, at most 32",
       .required = true},
      {.path = "site.timezone",
       .meaning = "IANA time zone of the clinic, for times that arrive without one",
       .default_text = "\"UTC\""},
      {.path = "storage.state_dir",
       .meaning = "folder of everything the gateway keeps",
       .default_text = "\"/var/lib/clinic-gateway\""},
      {.path = "storage.reserve_mb",
       .type = KeyType::integer,
       .meaning = "free disk space, in MB, below which nothing new is taken in",
       .default_text = "1024",
       .minimum = 16,
       .maximum = 1 << 20},
      {.path = "backup.dir",
       .meaning = "folder the site backs up to with clinic-gateway backup; a damaged database is "
                  "restored from it at start. The service must be able to read it"},
      {.path = "keys.passphrase_file",
       .meaning = "file with the passphrase that unlocks the gateway; without it the systemd "
                  "credential \"passphrase\" is used"},
      {.path = "control.socket",
       .meaning = "Unix socket the clinic-gateway command talks to",
       .default_text = core::cat('"', kControlSocket, '"')},
      {.path = "audit.checkpoint_every_s",
       .type = KeyType::integer,
       .meaning = "seconds between signed checkpoints of the audit trail",
       .default_text = "300",
       .minimum = 1,
       .maximum = 86'400},
      {.path = "log.level",
       .meaning = "least level written to the log",
       .default_text = "\"info\"",
       .choices = {"debug", "info", "warn", "error"}},
      {.path = "mqtt.host", .meaning = "broker of central operations; without it no MQTT"},
      {.path = "mqtt.port",
       .type = KeyType::integer,
       .meaning = "port of the broker",
       .default_text = "8883",
       .minimum = 1,
       .maximum = 65535},
      {.path = "mqtt.ca_file",
       .meaning = "PEM file the broker's certificate is checked against; default: the system's"},
      {.path = "mqtt.certificate_file", .meaning = "client certificate for the broker, PEM chain"},
      {.path = "mqtt.key_file", .meaning = "private key of mqtt.certificate_file, PEM"},
      {.path = "mqtt.username", .meaning = "user name at the broker"},
      {.path = "mqtt.password_file", .meaning = "file with the password at the broker"},
      {.path = "mqtt.proxy",
       .meaning = "proxy on the way to the broker, http://HOST:PORT or socks5://HOST:PORT"},
      {.path = "mqtt.proxy_username", .meaning = "user name at the proxy"},
      {.path = "mqtt.proxy_password_file", .meaning = "file that holds the password at the proxy"},
      {.path = "mqtt.topic_prefix",
       .meaning = "start of every topic; the site's name follows",
       .default_text = "\"clinic-gateway/v1\""},
      {.path = "mqtt.encoding",
       .meaning = "what status, health and metrics are written in",
       .default_text = "\"json\"",
       .choices = {"json", "sparkplug-b"}},
      {.path = "mqtt.sparkplug_group",
       .meaning = "group of the gateway's Sparkplug B topics; its edge node is the site's name",
       .default_text = "\"clinic-gateway\""},
      {.path = "mqtt.health_every_s",
       .type = KeyType::integer,
       .meaning = "seconds between health messages",
       .default_text = "30",
       .minimum = 1,
       .maximum = 3600},
      {.path = "mqtt.plain",
       .type = KeyType::boolean,
       .meaning = "no TLS; for a broker on the loopback interface only",
       .default_text = "false"},
      {.path = "power.ups",
       .meaning = "the UPS that feeds the box, NAME@HOST or NAME@HOST:PORT, as upsd of Network UPS "
                  "Tools knows it; without it none is asked"},
      {.path = "wear.dir",
       .meaning = "folder where clinic-gateway-wear.service leaves what smartctl says of the disks",
       .default_text = "\"/run/clinic-gateway-wear\""},
      {.path = "commands.allowed",
       .type = KeyType::text_list,
       .meaning =
           "kinds of commands that central operations may send over MQTT: approve-device, "
           "collect-diagnostics, log-level, pause-uplink, probe, reload, resend, resume-uplink, "
           "rotate-keys, send-diagnostics, sync-now",
       .default_text = "[]"},
      {.path = "commands.key.*.public_key_file",
       .meaning = "Ed25519 public key, PEM, of whoever signs commands under this name",
       .required = true},
  };
}

std::vector<ConfigKey> all_config_keys() {
  std::vector<ConfigKey> keys;
  for (const auto& room :
       {sync::sync_config_keys(), adapters::dicom::dicom_config_keys(),
        adapters::frame::device_config_keys(), adapters::filedrop::folder_config_keys(),
        adapters::mqtt::mqtt_config_keys(), adapters::thirdparty::socket_config_keys(),
        api_config_keys(), console::console_config_keys(), metrics_config_keys(),
        daemon_config_keys()}) {
    keys.insert(keys.end(), room.begin(), room.end());
  }
  return keys;
}

namespace {

MqttSettings read_mqtt(const core::Config& config) {
  MqttSettings mqtt;
  mqtt.host = config.text("mqtt.host");
  mqtt.port = static_cast<std::uint16_t>(config.integer("mqtt.port"));
  mqtt.ca_file = config.text("mqtt.ca_file");
  mqtt.certificate_file = config.text("mqtt.certificate_file");
  mqtt.key_file = config.text("mqtt.key_file");
  mqtt.username = config.text("mqtt.username");
  mqtt.password_file = config.text("mqtt.password_file");
  mqtt.plain = config.boolean("mqtt.plain");
  mqtt.proxy = config.text("mqtt.proxy");
  mqtt.proxy_username = config.text("mqtt.proxy_username");
  mqtt.proxy_password_file = config.text("mqtt.proxy_password_file");
  mqtt.topic_prefix = config.text("mqtt.topic_prefix");
  mqtt.health_every_s = config.integer("mqtt.health_every_s");
  if (config.text("mqtt.encoding") == "sparkplug-b")
    mqtt.sparkplug_group = config.text("mqtt.sparkplug_group");
  return mqtt;
}

}  // namespace

Settings read_settings(const core::Config& config) {
  Settings settings;
  settings.site_name = config.text("site.name");
  settings.time_zone = config.text("site.timezone");
  settings.state_folder = config.text("storage.state_dir");
  settings.wear_folder = config.text("wear.dir");
  settings.reserve_bytes = static_cast<std::uint64_t>(config.integer("storage.reserve_mb")) << 20;
  settings.passphrase_file = config.text("keys.passphrase_file");
  settings.control_socket = config.text("control.socket");
  settings.audit_checkpoint_every_s = config.integer("audit.checkpoint_every_s");
  // The key's choices are exactly the known levels.
  settings.log_level = core::parse_log_level(config.text("log.level")).value();
  if (config.has("mqtt.host")) settings.mqtt = read_mqtt(config);
  settings.commands.allowed = config.texts("commands.allowed");
  for (const std::string& name : config.names("commands.key"))
    settings.commands.public_keys[name] =
        config.text(core::cat("commands.key.", name, ".public_key_file"));
  return settings;
}

}  // namespace gateway::daemon
