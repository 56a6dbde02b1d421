#include "adapters/frame/device_options.h"

#include "adapters/mapping/character_set.h"
#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::adapters::frame {

using core::cat;
using core::ConfigKey;
using core::KeyType;

std::vector<ConfigKey> device_config_keys() {
  return {
      {.path = "device.*.protocol",
       .meaning = "what the device speaks",
       .required = true,
       .choices = {"hl7", "astm", "poct1a", "folder", "mqtt", "socket"}},
      {.path = "device.*.bind",
       .meaning = "address on which the device reaches the gateway",
       .default_text = "\"0.0.0.0\""},
      {.path = "device.*.port",
       .type = KeyType::integer,
       .meaning = "TCP port for the device; with host: its own",
       .minimum = 1,
       .maximum = 65535},
      {.path = "device.*.host",
       .meaning = "astm: a device that waits to be called, at its port; default: the device calls"},
      {.path = "device.*.certificate_file",
       .meaning = "hl7, astm, poct1a: the gateway's certificate for this device, PEM chain. Where "
                  "the device calls: with it the port takes nothing but TLS"},
      {.path = "device.*.key_file", .meaning = "private key of certificate_file, PEM"},
      {.path = "device.*.client_ca_file",
       .meaning = "PEM file of the CA whose certificate the device must show when it calls; "
                  "without it none is asked for"},
      {.path = "device.*.tls",
       .type = KeyType::boolean,
       .meaning = "the device is called over TLS",
       .default_text = "false"},
      {.path = "device.*.ca_file",
       .meaning = "PEM file the certificate of a device that is called is checked against; without "
                  "it the system's"},
      {.path = "device.*.orders_url",
       .meaning =
           "hl7: mllps://HOST:PORT or mllp://HOST:PORT, where an analyzer that asks what to "
           "do with a tube (IHE LAW) takes its work orders; default: they are in the answer"},
      {.path = "device.*.serial_port",
       .meaning = "astm: the serial line's device file, instead of a TCP port"},
      {.path = "device.*.baud",
       .type = KeyType::integer,
       .meaning = "speed of the serial line",
       .default_text = "9600",
       .minimum = 300,
       .maximum = 921'600},
      {.path = "device.*.line",
       .meaning = "data bits, parity and stop bits of the serial line",
       .default_text = "\"8N1\"",
       .choices = {"8N1", "8E1", "8O1", "7E1", "7O1", "8N2"}},
      {.path = "device.*.profile",
       .meaning = "the model's profile; see clinic-gateway devices profiles"},
      {.path = "device.*.silent_after_s",
       .type = KeyType::integer,
       .meaning = "seconds without a word after which health says so; 0: never",
       .default_text = "0",
       .minimum = 0,
       .maximum = 31'536'000},
      {.path = "device.*.specimen_id_issuer",
       .meaning =
           "FHIR system of the specimen ids the device sends, by which their orders are found; "
           "default: they name no order"},
      {.path = "device.*.timezone",
       .meaning = "IANA time zone of times the device sends without one; default: the site's"},
      {.path = "device.*.patient_id_issuer",
       .meaning = "FHIR system of patient ids the device sends without an issuer; default: "
                  "dicom.patient_id_issuer. Without either such ids belong to nobody"},
      {.path = "device.*.character_set",
       .meaning = "character set where MSH-18 is silent, by its HL7 or IANA name; default: UTF-8 "
                  "where the bytes are that, else Windows-1252"},
      {.path = "device.*.autoverified",
       .type = KeyType::text_list,
       .meaning = "test codes (OBX-3) whose final results need no release by a person; \"*\": all"},
      {.path = "device.*.max_connections",
       .type = KeyType::integer,
       .meaning = "connections served at the same time",
       .default_text = "8",
       .minimum = 1,
       .maximum = 256},
      {.path = "device.*.idle_timeout_s",
       .type = KeyType::integer,
       .meaning = "seconds after which a silent connection is closed; 0: never",
       .default_text = "0",
       .minimum = 0,
       .maximum = 604'800},
      {.path = "device.*.message_max_mb",
       .type = KeyType::integer,
       .meaning = "size of the largest message taken, in MB",
       .default_text = "16",
       .minimum = 1,
       .maximum = 64},
      {.path = "device.*.sets_clock",
       .type = KeyType::boolean,
       .meaning =
           "poct1a: set the device's clock to this gateway's; only where a time server keeps "
           "that, since a wrong one would date the device's results",
       .default_text = "false"},
      {.path = "profiles.shipped_dir",
       .meaning = "device profiles of the package",
       .default_text = "\"/usr/share/clinic-gateway/profiles\""},
      {.path = "profiles.site_dir",
       .meaning =
           "the site's own device profiles; one of the same id takes the place of a shipped one",
       .default_text = "\"/etc/clinic-gateway/profiles\""},
  };
}

namespace {

core::Error mistake(const core::Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, cat(config.where(key), ": ", key, ": ", what)};
}

core::Result<std::uint16_t> read_port(const core::Config& config, const std::string& key) {
  if (!config.has(key)) return mistake(config, key, "is not there; write the device's TCP port");
  return static_cast<std::uint16_t>(config.integer(key));
}

core::Status read_site(const core::Config& config, const std::string& name,
                       mapping::DeviceProfile& profile) {
  const auto key = [&](std::string_view last) { return cat("device.", name, ".", last); };
  profile.name = name;
  profile.time_zone =
      config.has(key("timezone")) ? config.text(key("timezone")) : config.text("site.timezone");
  if (!core::is_time_zone(profile.time_zone))
    return mistake(config, key("timezone"), "no such time zone; write one like Europe/Madrid");
  profile.patient_id_issuer = config.has(key("patient_id_issuer"))
                                  ? config.text(key("patient_id_issuer"))
                                  : config.text("dicom.patient_id_issuer");
  profile.specimen_id_issuer = config.text(key("specimen_id_issuer"));
  profile.character_set = config.text(key("character_set"));
  if (!profile.character_set.empty() && !mapping::is_character_set(profile.character_set))
    return mistake(config, key("character_set"), "unknown; write UTF-8, 8859/1 or 8859/15");
  profile.autoverified = config.texts(key("autoverified"));
  return {};
}

/// The gateway's own certificate needs its key, and the other way round.
core::Status check_certificate(const core::Config& config, const std::string& name) {
  const auto key = [&](std::string_view last) { return cat("device.", name, ".", last); };
  const bool has_certificate = config.has(key("certificate_file"));
  if (has_certificate == config.has(key("key_file"))) return {};
  return mistake(
      config, key(has_certificate ? "certificate_file" : "key_file"),
      cat("needs ", key(has_certificate ? "key_file" : "certificate_file"), "; set it too"));
}

/// Of keys that would have no effect.
core::Status refuse_keys(const core::Config& config, const std::string& name,
                         std::initializer_list<std::string_view> keys, std::string_view why) {
  for (const std::string_view last : keys) {
    const std::string key = cat("device.", name, ".", last);
    if (config.has(key)) return mistake(config, key, why);
  }
  return {};
}

core::Status read_listener_tls(const core::Config& config, const std::string& name,
                               core::net::TlsServerFiles& tls) {
  const auto key = [&](std::string_view last) { return cat("device.", name, ".", last); };
  constexpr std::string_view kOfCalled =
      "is for a device that is called; where it calls, TLS comes with certificate_file";
  GW_CHECK(refuse_keys(config, name, {"tls"}, kOfCalled));
  // Its work orders may be brought to it nevertheless.
  if (!config.has(key("orders_url"))) GW_CHECK(refuse_keys(config, name, {"ca_file"}, kOfCalled));
  GW_CHECK(check_certificate(config, name));
  tls = {config.text(key("certificate_file")), config.text(key("key_file")),
         config.text(key("client_ca_file"))};
  if (tls.certificate_file.empty() && !tls.client_ca_file.empty())
    return mistake(config, key("client_ca_file"),
                   cat("needs ", key("certificate_file"), "; set it too"));
  return {};
}

core::Status read_line_tls(const core::Config& config, const std::string& name, LineOptions& line) {
  const auto key = [&](std::string_view last) { return cat("device.", name, ".", last); };
  GW_CHECK(refuse_keys(config, name, {"client_ca_file"},
                       "is for a device that calls; this one is called: write ca_file"));
  if (!config.boolean(key("tls"))) {
    return refuse_keys(config, name, {"ca_file", "certificate_file", "key_file"},
                       cat("is for TLS; set ", key("tls"), " = true too"));
  }
  GW_CHECK(check_certificate(config, name));
  line.tls =
      core::net::TlsIdentity{line.host, config.text(key("ca_file")),
                             config.text(key("certificate_file")), config.text(key("key_file"))};
  return {};
}

core::Status read_transport(const core::Config& config, const std::string& name,
                            DeviceOptions& device) {
  const auto key = [&](std::string_view last) { return cat("device.", name, ".", last); };
  if (config.has(key("serial_port"))) {
    device.line = LineOptions{.name = name, .serial_port = config.text(key("serial_port"))};
    device.line->baud = static_cast<unsigned>(config.integer(key("baud")));
    device.line->format = config.text(key("line"));
    return refuse_keys(config, name,
                       {"tls", "ca_file", "certificate_file", "key_file", "client_ca_file"},
                       "a serial line knows no TLS; remove it");
  }
  GW_TRY(const std::uint16_t port, read_port(config, key("port")));
  if (config.has(key("host"))) {
    device.line = LineOptions{.name = name, .host = config.text(key("host")), .port = port};
    return read_line_tls(config, name, *device.line);
  }
  device.listener.bind = config.text(key("bind"));
  device.listener.port = port;
  return read_listener_tls(config, name, device.listener.tls);
}

core::Result<DeviceOptions> read_device(const core::Config& config, const std::string& name) {
  const auto key = [&](std::string_view last) { return cat("device.", name, ".", last); };
  DeviceOptions device;
  GW_CHECK(read_site(config, name, device.profile));
  device.listener.name = name;
  device.listener.connections_max =
      static_cast<std::size_t>(config.integer(key("max_connections")));
  device.listener.idle_timeout = core::Milliseconds(config.integer(key("idle_timeout_s")) * 1000);
  const std::string protocol = config.text(key("protocol"));
  if (protocol != "hl7") {
    GW_CHECK(refuse_keys(config, name, {"orders_url"},
                         "is for analyzers that ask over hl7 (IHE LAW); remove it"));
  }
  if (protocol == "hl7" || protocol == "astm" || protocol == "poct1a") {
    GW_CHECK(read_transport(config, name, device));
  }
  device.model = config.text(key("profile"));
  device.silent_after = core::Milliseconds(config.integer(key("silent_after_s")) * 1000);
  device.sets_clock = config.boolean(key("sets_clock"));
  device.message_bytes_max = static_cast<std::size_t>(config.integer(key("message_max_mb"))) << 20;
  return device;
}

}  // namespace

core::Result<std::vector<DeviceOptions>> read_devices(const core::Config& config,
                                                      std::string_view protocol) {
  std::vector<DeviceOptions> devices;
  for (const std::string& name : config.names("device")) {
    if (config.text(cat("device.", name, ".protocol")) != protocol) continue;
    GW_TRY(DeviceOptions device, read_device(config, name));
    devices.push_back(std::move(device));
  }
  return devices;
}

core::Status check_it_calls(const core::Config& config, const DeviceOptions& device,
                            std::string_view what) {
  if (!device.line) return {};
  const std::string key =
      cat("device.", device.profile.name, device.line->host.empty() ? ".serial_port" : ".host");
  return mistake(config, key, cat(what, " devices call the gateway; remove it and write port"));
}

}  // namespace gateway::adapters::frame
