// What central operations hear over MQTT, below `<prefix>/<site>/`, described by
// docs/mqtt/*.schema.json: status, health, metrics, inventory and audit, all retained, and what is
// send()ed (daemon/ops/central_sender.h). Commands come the other way (daemon/ops/commands.h). A
// will says "offline"; because a will misses a daemon that hangs, health carries `seq` and
// `boot_id` and comes at a steady pace. With another encoding, status and health are left to
// that. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/net/mqtt_session.h"
#include "core/result.h"
#include "daemon/ops/vitals.h"
#include "daemon/settings.h"

namespace gateway::daemon {

/// What takes the place of status, health and metrics as JSON, and of their will; called in the
/// session's thread.
struct OtherEncoding {
  std::string will_topic;
  std::function<std::string()> next_will;
  std::string command_topic;
  std::function<void(std::string_view payload)> on_command;
};

/// What comes from the session; called in its thread.
struct CentralCalls {
  std::function<void(bool connected)> on_standing;
  std::function<void(std::string envelope)> on_command;  // empty: none are listened for
  std::optional<OtherEncoding> other;
};

class HealthPublisher {
 public:
  HealthPublisher(MqttSettings settings, const std::string& site, std::string boot_id,
                  const core::Clock& clock, CentralCalls calls = {});
  /// Says "offline", but for another encoding, and disconnects; waits up to 2 s.
  ~HealthPublisher();
  HealthPublisher(const HealthPublisher&) = delete;
  HealthPublisher& operator=(const HealthPublisher&) = delete;

  /// Reads the password and starts the session. An unreachable broker is no failure: the session
  /// goes on trying by itself.
  core::Status start();
  /// Sets both topics, but for another encoding. Nothing happens before start() has succeeded.
  void publish(const Vitals& vitals);
  /// Sets `<prefix>/<site>/<name>`, likewise.
  void publish_document(const std::string& name, const core::Json& document);
  /// core::net::MqttSession::send() of `<prefix>/<site>/<name>`.
  void send(const std::string& name, std::string payload, bool retained,
            std::function<void(bool)> answered);
  /// All zero before start() has succeeded.
  core::net::MqttState state() const;
  /// Null before start() has succeeded.
  core::net::MqttSession* session() { return session_.get(); }
  const std::string& status_topic() const { return status_topic_; }
  const std::string& health_topic() const { return health_topic_; }

 private:
  void set_will(core::net::MqttOptions& options);
  void take(core::net::MqttMessage message) const;

  MqttSettings settings_;
  std::string client_id_;
  std::string boot_id_;
  std::string status_topic_;
  std::string health_topic_;
  std::string root_topic_;
  const core::Clock& clock_;
  CentralCalls calls_;
  std::unique_ptr<core::net::MqttSession> session_;
  std::uint64_t seq_ = 0;
};

}  // namespace gateway::daemon
