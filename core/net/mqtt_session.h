// An MQTT session over TLS that never dies for good: libmosquitto's own loop thread ends silently
// on an expired broker certificate, so this runs its own loop thread, builds a new client after
// every fatal code, and reconnects with jittered back-off that is reset only after a session has
// stood for 30 s.
//
// Topics set here are retained, latest value wins: whatever was set last for a topic is published
// again after each reconnect, so nothing queues up while offline. What must arrive each and every
// time is kept elsewhere by whoever send()s it, until the broker has taken it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::core::net {

struct MqttMessage {
  std::string topic;
  std::string payload;
  int packet_id = 0;  // 0: it came with QoS 0, the broker has forgotten it
  // The broker kept it as the newest of its topic: nobody knows since when.
  bool is_retained = false;
  bool is_cut = false;  // longer than message_bytes_max; this is its beginning
  // The session is an earlier one resumed: what was not acknowledged then comes first, again, under
  // its packet id.
  bool is_resumed = false;
};

struct MqttOptions {
  std::string host;
  std::uint16_t port = 8883;
  std::string client_id;
  std::string ca_file;           // PEM; empty: the system's store. Read again when it changes.
  std::string certificate_file;  // mutual TLS; empty: none
  std::string key_file;
  std::string username;
  std::string password;
  bool plain = false;          // only for a loopback broker: no TLS
  std::string proxy;           // http://HOST:PORT or socks5://HOST:PORT on the way; empty: straight
  std::string proxy_username;  // empty: none
  std::string proxy_password;
  std::string will_topic;
  std::string will_payload;  // QoS 1
  bool will_retained = true;
  // Instead of will_payload: asked for each attempt anew, in the session's thread.
  std::function<std::string()> next_will;
  std::vector<std::string> subscriptions;  // topics, QoS 1
  // Called in the session's thread, returns at once. A message has at most 16 KiB.
  std::function<void(MqttMessage message)> on_message;
  // The session stands, or has ended; called in its thread, returns at once.
  std::function<void(bool connected)> on_standing;
  // Instead of `subscriptions`, for what must not be lost: MQTT 3.1.1, a session that the broker
  // keeps while we are away. `take` is called for each message in the session's thread, in order,
  // and may wait for a disk. Only once it has answered ok for all that came together does an
  // acknowledgment go out; an Error ends the session, and the broker sends again what was not
  // acknowledged.
  std::vector<std::string> filters;
  std::function<Status(const MqttMessage&)> take;
  std::size_t message_bytes_max = 1U << 20;
  // A new attempt comes at any moment of the back-off: a thousand gateways that lost their broker
  // together come back one by one.
  Milliseconds backoff_min{30'000};
  Milliseconds backoff_max{45'000};
};

struct MqttState {
  bool connected = false;
  std::uint64_t connects = 0;    // sessions established since start
  std::uint64_t loop_turns = 0;  // grows while the thread lives: the watchdog reads it
  std::string
      last_error;  // why the last attempt or session ended, for people; empty while connected
};

/// Thread-safe. One thread, all signals blocked in it, and a short-lived one for each look-up of
/// the broker's name: that is the C library's and takes as long as DNS does. An attempt is given up
/// after 20 s for the name and 20 s to connect; the keep-alive is 30 s. MQTT 5 and
/// a clean start, unless there are `filters`.
class MqttSession {
 public:
  /// Code::invalid: host, client id, proxy, CA or certificate file. An unreachable or untrusted
  /// broker is no error here: it shows in state() and is tried again. `clock` must outlive the
  /// session.
  static Result<std::unique_ptr<MqttSession>> start(MqttOptions options, const Clock& clock);
  /// Publishes the last value of every topic if connected, waits up to 2 s for it to leave, then
  /// disconnects cleanly.
  virtual ~MqttSession() = default;
  /// Retained, QoS 1. Replaces what waits for the same topic. A topic the broker refuses is logged
  /// and left until its next value or session. Topics are ours, never input: each is kept for good.
  virtual void set_retained(const std::string& topic, std::string payload) = 0;
  /// Once, QoS 1. `answered` is called once, with true when the broker has taken it:
  /// in the session's thread, or before this returns where there is no session or 64 wait already.
  virtual void send(const std::string& topic, std::string payload, bool retained,
                    std::function<void(bool taken)> answered) = 0;
  /// As send(), not retained and with QoS 0: `answered` tells only whether it went out.
  virtual void send_unacknowledged(const std::string& topic, std::string payload,
                                   std::function<void(bool sent)> answered) = 0;
  virtual MqttState state() const = 0;
};

}  // namespace gateway::core::net
