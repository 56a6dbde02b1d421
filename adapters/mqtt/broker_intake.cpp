#include "adapters/mqtt/broker_intake.h"

#include <algorithm>
#include <span>

#include "adapters/frame/crash_point.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/digest.h"

namespace gateway::adapters::mqtt {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::net::MqttMessage;

// More than a broker has under way at a time (Mosquitto: 20).
constexpr std::size_t kRememberedMax = 256;
constexpr std::size_t kCutBytes = 4U << 10;

std::string digest_of(int packet_id, const Arrival& arrival) {
  const std::string text = cat(packet_id, ' ', arrival.topic, '\0', arrival.payload);
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(text)));
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

BrokerIntake::BrokerIntake(BrokerOptions options, const sync::HoldingsDoor& door,
                           const core::Clock& clock, std::function<void()> on_limit)
    : options_(std::move(options)), door_(door), clock_(clock), on_limit_(std::move(on_limit)) {
  for (const MqttDevice& device : options_.devices) devices_.emplace_back(device);
}

std::vector<std::string> BrokerIntake::filters() const {
  std::vector<std::string> filters;
  for (const Listened& one : devices_) filters.push_back(one.device.topic.filter());
  return filters;
}

std::size_t BrokerIntake::message_bytes_max() const {
  std::size_t most = 0;
  for (const Listened& one : devices_)
    most = std::max(most, one.device.device.options.message_bytes_max);
  return most;
}

void BrokerIntake::watch() {
  for (Listened& one : devices_) one.traffic.watch(clock_.wall());
}

void BrokerIntake::begin_session() {
  is_resuming_ = true;
  if (const auto holdings = door_.get()) recall(*holdings);
}

BrokerIntake::Listened* BrokerIntake::listened_to(const std::string& topic) {
  const auto found = std::ranges::find_if(
      devices_, [&](const Listened& one) { return one.device.topic.match(topic).has_value(); });
  return found == devices_.end() ? nullptr : &*found;
}

core::Status BrokerIntake::take(const MqttMessage& message) {
  const auto holdings = door_.get();
  if (!holdings) return Error(Code::locked, "the gateway is locked; the broker keeps what comes");
  recall(*holdings);
  Listened* const listened = listened_to(message.topic);
  if (listened == nullptr) {
    // The broker remembers what an earlier configuration asked for.
    if (stranger_ != message.topic)
      core::log_warn("mqtt", cat("broker ", options_.name,
                                 ": a message of no configured device was left; remove the session "
                                 "of ",
                                 options_.session.client_id, " at the broker"));
    stranger_ = message.topic;
    return {};
  }
  listened->traffic.see(clock_.wall());
  return take_from(*listened, message, *holdings);
}

core::Status BrokerIntake::take_from(Listened& listened, const MqttMessage& message,
                                     sync::Holdings& holdings) {
  const std::string& name = listened.device.device.options.profile.name;
  const bool is_long =
      message.is_cut || message.payload.size() > listened.device.device.options.message_bytes_max;
  Arrival arrival = arrival_of(
      message.topic, message.payload.substr(0, is_long ? kCutBytes : message.payload.npos),
      listened.device);
  arrival.came_at = core::to_instant(clock_.wall());
  arrival.packet_id = message.packet_id;
  // Nobody knows when it was measured; the next one will tell.
  if (message.is_retained && !arrival.names_time) return {};
  if (comes_again(message, arrival)) {
    listened.traffic.count(sync::Taken::Outcome::repeated);
    return {};
  }
  ReadArrival read = read_arrival(arrival, listened.device);
  if (is_long) {
    read.message->drafts.clear();
    read.message->dead_because = cat("it is longer than device.", name,
                                     ".message_max_mb allows; only its beginning is kept");
  }
  GW_TRY(const sync::Taken taken, commit(*read.message, holdings));
  frame::pass_crash_point("message-committed");
  listened.traffic.count(taken.outcome);
  remember(message.packet_id, arrival);
  if (taken.outcome == sync::Taken::Outcome::repeated) return {};
  is_resuming_ = false;
  if (taken.outcome == sync::Taken::Outcome::dead)
    core::log_warn(
        "mqtt", cat("device ", name, ": message ", taken.number,
                    " is kept as a dead letter: ", taken.reason, "; see clinic-gateway letters"));
  note_limits(listened, message.topic, read.crossings);
  return {};
}

/// One message that nothing can be made of must not keep the others from coming.
core::Result<sync::Taken> BrokerIntake::commit(sync::IncomingMessage& message,
                                               sync::Holdings& holdings) {
  auto taken = holdings.intake().take_now(message);
  if (taken.ok() || taken.error().code() != Code::invalid) return taken;
  message.drafts.clear();
  message.dead_because = taken.error().message();
  return holdings.intake().take_now(message);
}

/// What names no time is known by its packet id, which stays the same until it is acknowledged.
bool BrokerIntake::comes_again(const MqttMessage& message, const Arrival& arrival) {
  if (!is_resuming_ || !message.is_resumed || message.packet_id == 0) return false;
  if (arrival.names_time) return false;  // its bytes are known
  const std::string digest = digest_of(message.packet_id, arrival);
  if (std::ranges::find(remembered_, digest) != remembered_.end()) return true;
  is_resuming_ = false;
  return false;
}

void BrokerIntake::remember(int packet_id, const Arrival& arrival) {
  if (packet_id == 0 || arrival.names_time) return;
  remembered_.push_back(digest_of(packet_id, arrival));
  if (remembered_.size() > kRememberedMax) remembered_.pop_front();
}

void BrokerIntake::note_limits(Listened& listened, const std::string& topic,
                               const std::vector<fields::Crossing>& crossings) {
  // A patient's values are for those who treat; only a thing's are told around.
  if (!listened.device.device.profile.fields.is_of_device) return;
  bool is_other = false;
  {
    const std::lock_guard lock(mutex_);
    for (const fields::Crossing& one : crossings) {
      const std::pair key{topic, one.code};
      is_other = is_other || one.is_beyond != listened.beyond.contains(key);
      if (one.is_beyond) {
        listened.beyond[key] = one.text;
      } else {
        listened.beyond.erase(key);
      }
    }
  }
  if (is_other) on_limit_();
}

void BrokerIntake::recall(sync::Holdings& holdings) {
  if (is_recalled_) return;
  for (Listened& one : devices_) {
    const core::Status recalled = recall(one, holdings);
    // What is not remembered is at worst stored twice.
    if (!recalled.ok())
      core::log_warn("mqtt", cat("device ", one.device.device.options.profile.name,
                                 ": what it said last was not read: ", recalled.error().message()));
  }
  is_recalled_ = true;
}

core::Status BrokerIntake::recall(Listened& listened, sync::Holdings& holdings) {
  const std::string& name = listened.device.device.options.profile.name;
  std::vector<std::string> newest;
  GW_TRY(newest, holdings.database().read_value<std::vector<std::string>>(
                     [&](crypto::Connection& connection) {
                       return sync::newest_messages(connection, name, kRememberedMax);
                     }));
  for (const std::string& bytes : newest) {
    auto arrival = unpack(bytes);
    if (!arrival.ok()) continue;  // it spoke another protocol then
    remember(arrival->packet_id, *arrival);
    note_limits(listened, arrival->topic, read_arrival(*arrival, listened.device).crossings);
  }
  return {};
}

core::Wall BrokerIntake::last_seen() const {
  core::Wall last{};
  for (const Listened& one : devices_) last = std::max(last, one.traffic.last_seen());
  return last;
}

core::Json BrokerIntake::report(const std::string& problem) const {
  core::Json devices = core::Json::array();
  const std::lock_guard lock(mutex_);
  for (const Listened& listened : devices_) {
    const fields::FieldDevice& device = listened.device.device;
    core::Json one = listened.traffic.report(device.options, clock_.wall());
    one.set("revision", device.profile.revision);
    one.set("problem", problem);
    core::Json limits = core::Json::array();
    for (const auto& [key, text] : listened.beyond) limits.add(text);
    one.set("limits", std::move(limits));
    devices.add(std::move(one));
  }
  return devices;
}

}  // namespace gateway::adapters::mqtt
