// Health over MQTT for central operations: `<prefix>/<site>/status`, `<prefix>/<site>/health` and
// `<prefix>/<site>/audit`, all retained, described by docs/mqtt/*.schema.json. A will says
// "offline"; because a will misses a daemon that hangs, health carries `seq` and `boot_id` and
// comes at a steady pace. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/net/mqtt_session.h"
#include "core/result.h"
#include "daemon/ops/vitals.h"
#include "daemon/settings.h"

namespace gateway::daemon {

class HealthPublisher {
 public:
  HealthPublisher(MqttSettings settings, const std::string& site, std::string boot_id,
                  const core::Clock& clock);
  /// Says "offline" and disconnects; waits up to 2 s.
  ~HealthPublisher();
  HealthPublisher(const HealthPublisher&) = delete;
  HealthPublisher& operator=(const HealthPublisher&) = delete;

  /// Reads the password and starts the session. An unreachable broker is no failure: the session
  /// goes on trying by itself.
  core::Status start();
  /// Sets both topics. Nothing happens before start() has succeeded.
  void publish(const Vitals& vitals);
  /// Sets `<prefix>/<site>/audit`, likewise.
  void publish_audit(const core::Json& checkpoint);
  /// All zero before start() has succeeded.
  core::net::MqttState state() const;
  const std::string& status_topic() const { return status_topic_; }
  const std::string& health_topic() const { return health_topic_; }

 private:
  MqttSettings settings_;
  std::string client_id_;
  std::string boot_id_;
  std::string status_topic_;
  std::string health_topic_;
  std::string audit_topic_;
  const core::Clock& clock_;
  std::unique_ptr<core::net::MqttSession> session_;
  std::uint64_t seq_ = 0;
};

}  // namespace gateway::daemon
