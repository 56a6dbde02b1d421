// The brokers on the clinic's own network, and the devices that speak there: tables [broker.NAME]
// and [device.NAME] with protocol = "mqtt".
#pragma once

#include <string>
#include <vector>

#include "adapters/mqtt/arrival.h"
#include "core/config.h"
#include "core/files.h"
#include "core/net/mqtt_session.h"

namespace gateway::adapters::mqtt {

/// The keys of brokers, and of devices beside those of every device.
std::vector<core::ConfigKey> mqtt_config_keys();

struct BrokerOptions {
  std::string name;
  core::net::MqttOptions session;  // without password, filters and calls
  std::string password_file;
  std::vector<MqttDevice> devices;  // no topic is of two of them
};

/// Those with devices. Code::invalid names the place and what to write instead.
core::Result<std::vector<BrokerOptions>> brokers(const core::Config& config, core::Files& files);

}  // namespace gateway::adapters::mqtt
