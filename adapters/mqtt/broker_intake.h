// One broker's devices: whose a message is, whether it has come before, and what it says of limits.
// A message is acknowledged to the broker after its commit and not before.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/frame/device_traffic.h"
#include "adapters/mqtt/mqtt_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::mqtt {

/// begin_session() and take() from the session's thread; the rest from any.
class BrokerIntake {
 public:
  /// `on_limit` is called when a value went beyond a limit or came back; it returns at once.
  BrokerIntake(BrokerOptions options, const sync::HoldingsDoor& door, const core::Clock& clock,
               std::function<void()> on_limit);

  const BrokerOptions& options() const { return options_; }
  std::vector<std::string> filters() const;
  std::size_t message_bytes_max() const;
  /// Silence is counted from now.
  void watch();
  /// A session begins: remembers what the database holds of these devices.
  void begin_session();
  /// Code::locked, no_space, busy...: not taken; the broker keeps it.
  core::Status take(const core::net::MqttMessage& message);

  core::Wall last_seen() const;
  /// Of each device, as adapters/hl7's, with "limits": what is beyond the profile's, in our words.
  core::Json report(const std::string& problem) const;

 private:
  struct Listened {
    explicit Listened(MqttDevice of) : device(std::move(of)) {}
    const MqttDevice device;
    frame::DeviceTraffic traffic;
    // (topic, code) of what is beyond a limit, and the words for it; guarded by mutex_.
    std::map<std::pair<std::string, std::string>, std::string> beyond;
  };

  Listened* listened_to(const std::string& topic);
  core::Status take_from(Listened& listened, const core::net::MqttMessage& message,
                         sync::Holdings& holdings);
  core::Result<sync::Taken> commit(sync::IncomingMessage& message, sync::Holdings& holdings);
  bool comes_again(const core::net::MqttMessage& message, const Arrival& arrival);
  void remember(int packet_id, const Arrival& arrival);
  void note_limits(Listened& listened, const std::string& topic,
                   const std::vector<fields::Crossing>& crossings);
  void recall(sync::Holdings& holdings);
  core::Status recall(Listened& listened, sync::Holdings& holdings);

  const BrokerOptions options_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::function<void()> on_limit_;
  std::list<Listened> devices_;
  mutable std::mutex mutex_;
  // The session's thread only:
  bool is_recalled_ = false;
  // The broker may be sending again what it never heard an acknowledgment of: until the first
  // message that is new.
  bool is_resuming_ = false;
  std::deque<std::string> remembered_;  // the newest taken, of which it may be
  std::string stranger_;                // the last topic that is no device's
};

}  // namespace gateway::adapters::mqtt
