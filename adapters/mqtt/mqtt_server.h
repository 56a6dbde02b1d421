// Devices that speak MQTT: a session with each broker on the clinic's network, in a thread of its
// own. The broker keeps what comes while the gateway is away or LOCKED, as far as its own limits
// go; a message is acknowledged to it after its commit and not before.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/decoder.h"
#include "adapters/mqtt/mqtt_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::mqtt {

/// Adapter "mqtt-devices"; report() has "devices" as hl7's, with the "problem" of a broker that is
/// not reached and "limits": what is beyond its profile's now.
class MqttServer : public Adapter {
 public:
  /// `door` and `clock` outlive it. `on_limit` is called from any thread when a value went beyond a
  /// limit or came back; it returns at once.
  static std::unique_ptr<MqttServer> create(std::vector<BrokerOptions> brokers,
                                            const sync::HoldingsDoor& door,
                                            const core::Clock& clock,
                                            std::function<void()> on_limit);
};

/// For messages that wait for a person.
Decoder decoder_of(const MqttDevice& device);

}  // namespace gateway::adapters::mqtt
