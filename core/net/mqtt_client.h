// One libmosquitto client for one attempt at a session: made, driven turn by turn, thrown away.
// Nothing of it is called from two threads: libmosquitto cannot be destroyed while something loops
// in it. MQTT 5, for its reason codes; with filters MQTT 3.1.1, whose sessions last without a
// property, which this library cannot send where it does not block.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/net/mqtt_session.h"
#include "core/net/tls_context.h"

namespace gateway::core::net {

class MqttClient {
 public:
  enum class Phase { connecting, connected, ended };
  struct Acknowledged {
    int message_id = 0;
    std::string refusal;  // empty: the broker took it
  };

  /// Starts connecting. The name look-up blocks, everything else happens in turn(). `tls` is null
  /// for plain and outlives the client.
  static Result<std::unique_ptr<MqttClient>> connect(const MqttOptions& options, TlsContext* tls);
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;
  virtual ~MqttClient() = default;

  /// Waits up to `wait` for the socket or for `wake_fd` to become readable, and does what there is
  /// to do.
  virtual void turn(int wake_fd, Milliseconds wait) = 0;
  virtual Phase phase() const = 0;
  /// Why it ended, for people.
  virtual const std::string& why_ended() const = 0;
  enum class Qos { at_most_once = 0, at_least_once = 1 };
  /// Answers the message id that comes back in acknowledged(): with QoS 0 once it has gone out.
  /// Code::unavailable: it has ended; Code::invalid: this topic or payload cannot be published.
  virtual Result<int> publish(const std::string& topic, const std::string& payload, bool retained,
                              Qos qos) = 0;
  /// QoS 1; what comes is in messages(). Code::unavailable: it has ended.
  virtual Status subscribe(const std::string& topic) = 0;
  /// What has come since the last call. Without filters at most 64 of at most 16 KiB; more is
  /// dropped and logged. With filters nothing is dropped, and nothing is sent until acknowledge().
  virtual std::vector<MqttMessage> messages() = 0;
  /// Lets go out what acknowledges the messages handed out so far.
  virtual void acknowledge() = 0;
  /// Ends it without another word: what was not acknowledged stays so.
  virtual void drop(const std::string& why) = 0;
  /// What the broker has answered, or with QoS 0 has gone out, since the last call.
  virtual std::vector<Acknowledged> acknowledged() = 0;
  /// A clean good-bye: the broker does not publish the will.
  virtual void disconnect() = 0;

 protected:
  MqttClient() = default;
};

}  // namespace gateway::core::net
