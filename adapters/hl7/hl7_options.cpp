#include "adapters/hl7/hl7_options.h"

#include "adapters/hl7/character_set.h"
#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {

using core::cat;
using core::ConfigKey;
using core::KeyType;

std::vector<ConfigKey> hl7_config_keys() {
  return {
      {.path = "device.*.protocol",
       .meaning = "what the device speaks",
       .required = true,
       .choices = {"hl7"}},
      {.path = "device.*.bind",
       .meaning = "address on which the device reaches the gateway",
       .default_text = "\"0.0.0.0\""},
      {.path = "device.*.port",
       .type = KeyType::integer,
       .meaning = "TCP port for the device",
       .required = true,
       .minimum = 1,
       .maximum = 65535},
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
  };
}

namespace {

core::Error mistake(const core::Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, cat(config.where(key), ": ", key, ": ", what)};
}

core::Result<Hl7Device> read_device(const core::Config& config, const std::string& name) {
  const auto key = [&](std::string_view last) { return cat("device.", name, ".", last); };
  Hl7Device device;
  device.profile.name = name;
  device.profile.time_zone =
      config.has(key("timezone")) ? config.text(key("timezone")) : config.text("site.timezone");
  if (!core::is_time_zone(device.profile.time_zone))
    return mistake(config, key("timezone"), "no such time zone; write one like Europe/Madrid");
  device.profile.patient_id_issuer = config.has(key("patient_id_issuer"))
                                         ? config.text(key("patient_id_issuer"))
                                         : config.text("dicom.patient_id_issuer");
  device.profile.character_set = config.text(key("character_set"));
  if (!device.profile.character_set.empty() && !is_character_set(device.profile.character_set))
    return mistake(config, key("character_set"), "unknown; write UTF-8, 8859/1 or 8859/15");
  device.profile.autoverified = config.texts(key("autoverified"));
  device.listener.name = name;
  device.listener.bind = config.text(key("bind"));
  device.listener.port = static_cast<std::uint16_t>(config.integer(key("port")));
  device.listener.connections_max =
      static_cast<std::size_t>(config.integer(key("max_connections")));
  device.listener.idle_timeout = core::Milliseconds(config.integer(key("idle_timeout_s")) * 1000);
  device.message_bytes_max = static_cast<std::size_t>(config.integer(key("message_max_mb"))) << 20;
  return device;
}

}  // namespace

core::Result<std::vector<Hl7Device>> hl7_devices(const core::Config& config) {
  std::vector<Hl7Device> devices;
  for (const std::string& name : config.names("device")) {
    if (config.text(cat("device.", name, ".protocol")) != "hl7") continue;
    GW_TRY(Hl7Device device, read_device(config, name));
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace gateway::adapters::hl7
