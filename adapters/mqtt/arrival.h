// A device's MQTT message, as it is kept and as what it becomes. Pure.
//
// The kept bytes are a line 'clinic-gateway-mqtt {"topic"}' and the payload behind it. Of a payload
// that names no time of its own the line also has "came_at" and "packet", the broker's packet id:
// the same words an hour later are another measurement.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/fields/field_mapping.h"
#include "core/result.h"
#include "sync/intake.h"

namespace gateway::adapters::mqtt {

struct MqttDevice {
  fields::FieldDevice device;
  std::string broker;            // its name in the configuration
  profiles::TopicPattern topic;  // the site's, or the profile's
};

struct Arrival {
  std::string topic;
  std::string payload;
  std::string came_at;     // instant
  int packet_id = 0;       // 0: none
  bool names_time = true;  // by its profile; then neither of the two above is kept
};

/// With names_time filled in.
Arrival arrival_of(std::string topic, std::string payload, const MqttDevice& device);

struct ReadArrival {
  std::shared_ptr<sync::IncomingMessage> message;
  std::vector<fields::Crossing> crossings;
};
ReadArrival read_arrival(const Arrival& arrival, const MqttDevice& device);

std::string pack(const Arrival& arrival);
/// Code::invalid: these bytes are no message of MQTT.
core::Result<Arrival> unpack(std::string_view bytes);

}  // namespace gateway::adapters::mqtt
