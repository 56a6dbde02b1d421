#include "adapters/mqtt/mqtt_options.h"

#include <algorithm>

#include "adapters/fields/field_devices.h"
#include "core/net/url.h"
#include "core/text.h"

namespace gateway::adapters::mqtt {
namespace {

using core::cat;
using core::Config;

// A sensor's word is soon old; a broker of the clinic's own needs no consideration.
constexpr core::Milliseconds kBackoffMin{1'000};
constexpr core::Milliseconds kBackoffMax{15'000};

core::Error mistake(const Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, cat(config.where(key), ": ", key, ": ", what)};
}

core::Result<BrokerOptions> read_broker(const Config& config, const std::string& name) {
  const auto key = [&](std::string_view last) { return cat("broker.", name, ".", last); };
  BrokerOptions broker;
  broker.name = name;
  core::net::MqttOptions& session = broker.session;
  session.host = config.text(key("host"));
  session.port = static_cast<std::uint16_t>(config.integer(key("port")));
  session.client_id = cat("clinic-gateway-", config.text("site.name"), "-devices");
  session.ca_file = config.text(key("ca_file"));
  session.certificate_file = config.text(key("certificate_file"));
  session.key_file = config.text(key("key_file"));
  session.username = config.text(key("username"));
  session.plain = config.boolean(key("plain"));
  session.backoff_min = kBackoffMin;
  session.backoff_max = kBackoffMax;
  broker.password_file = config.text(key("password_file"));
  core::net::Url url;
  url.host = session.host;
  if (session.plain && !url.loopback())
    return mistake(config, key("plain"), "true is for a broker on this machine only; use TLS");
  if (session.certificate_file.empty() != session.key_file.empty())
    return mistake(config, key("certificate_file"), "goes with key_file; set both");
  if (!broker.password_file.empty() && session.username.empty())
    return mistake(config, key("password_file"), "needs username; set it too");
  return broker;
}

core::Result<MqttDevice> read_device(const Config& config, fields::FieldDevice known) {
  const auto key = [name = known.options.profile.name](std::string_view last) {
    return cat("device.", name, ".", last);
  };
  MqttDevice device;
  device.broker = config.text(key("broker"));
  if (!config.has(key("broker")))
    return mistake(config, key("broker"), "is not there; write the name of a [broker.NAME]");
  if (known.options.model.empty())
    return mistake(config, key("profile"),
                   "is not there; write the model's, which says what its messages mean");
  device.topic = known.profile.fields.topic;
  if (config.has(key("topic"))) {
    auto topic = profiles::TopicPattern::parse(config.text(key("topic")));
    if (!topic.ok()) return mistake(config, key("topic"), topic.error().message());
    device.topic = std::move(*topic);
  }
  device.device = std::move(known);
  return device;
}

}  // namespace

std::vector<core::ConfigKey> mqtt_config_keys() {
  using core::KeyType;
  return {
      {.path = "broker.*.host",
       .meaning = "a broker on the clinic's network that devices speak to",
       .required = true},
      {.path = "broker.*.port",
       .type = KeyType::integer,
       .meaning = "its port",
       .default_text = "8883",
       .minimum = 1,
       .maximum = 65535},
      {.path = "broker.*.ca_file",
       .meaning = "PEM file the broker's certificate is checked against; default: the system's"},
      {.path = "broker.*.certificate_file", .meaning = "client certificate for it, PEM chain"},
      {.path = "broker.*.key_file", .meaning = "private key of certificate_file, PEM"},
      {.path = "broker.*.username", .meaning = "user name at the broker"},
      {.path = "broker.*.password_file", .meaning = "file with the password at the broker"},
      {.path = "broker.*.plain",
       .type = KeyType::boolean,
       .meaning = "no TLS; for a broker on the loopback interface only",
       .default_text = "false"},
      {.path = "device.*.broker", .meaning = "mqtt: the broker it speaks to, by its table's name"},
      {.path = "device.*.topic",
       .meaning = "mqtt: where it speaks, {name} for a level that differs; default: the profile's"},
  };
}

core::Result<std::vector<BrokerOptions>> brokers(const Config& config, core::Files& files) {
  GW_TRY(auto known, fields::field_devices(config, files, "mqtt"));
  std::vector<BrokerOptions> found;
  const auto named = config.names("broker");
  for (fields::FieldDevice& one : known) {
    GW_TRY(MqttDevice device, read_device(config, std::move(one)));
    const std::string table = cat("device.", device.device.options.profile.name, ".");
    if (std::ranges::find(named, device.broker) == named.end())
      return mistake(config, table + "broker",
                     cat("there is no [broker.", device.broker, "]; write that table"));
    auto broker = std::ranges::find(found, device.broker, &BrokerOptions::name);
    if (broker == found.end()) {
      GW_TRY(BrokerOptions read, read_broker(config, device.broker));
      broker = found.insert(found.end(), std::move(read));
    }
    for (const MqttDevice& other : broker->devices) {
      if (device.topic.meets(other.topic))
        return mistake(config, table + "topic",
                       cat("may be one of device ", other.device.options.profile.name,
                           " too; write the topic of this one alone"));
    }
    broker->devices.push_back(std::move(device));
  }
  return found;
}

}  // namespace gateway::adapters::mqtt
