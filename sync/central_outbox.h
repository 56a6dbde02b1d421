// What central operations must hear over MQTT, each at least once: kept until the broker has taken
// it, so that nothing is lost while there is no link. Alarms are compared with what was told
// before, across restarts too, and an event is queued for each that began or ended. No patient
// data: texts are ours. Inside the caller's transaction or snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// Of more than this the oldest makes room, and the gap in the numbers shows it.
inline constexpr std::int64_t kCentralMessagesMax = 10'000;

/// The topic whose messages are told with their number and whether they are historical.
inline constexpr char kCentralEvents[] = "events";
/// The topic of a support bundle's parts, which go after all others.
inline constexpr char kCentralDiagnostics[] = "diagnostics";

struct CentralMessage {
  std::int64_t number = 0;
  std::string topic;    // below <mqtt.topic_prefix>/<site.name>/
  std::string session;  // with the broker, while it came about; empty where there was none
  std::string payload;  // a JSON object; empty where a retained value is taken away
  bool retained = false;
};

core::Status queue_central(crypto::Connection& connection, const std::string& topic,
                           const std::string& session, const core::Json& payload);
/// All of one whole, in order. They take the place of what waits for the topic.
core::Status queue_parts(crypto::Connection& connection, const std::string& topic,
                         const std::vector<core::Json>& parts);
/// What the topic holds from then on; null: nothing. Takes the place of what waits for it.
core::Status queue_retained(crypto::Connection& connection, const std::string& topic,
                            const core::Json& payload);
/// The oldest, in order.
core::Result<std::vector<CentralMessage>> oldest_central(crypto::Connection& connection,
                                                         std::int64_t count_max);
core::Result<std::int64_t> count_central(crypto::Connection& connection);
core::Status forget_central(crypto::Connection& connection, std::int64_t number);

struct CentralAlarm {
  std::string name;      // what it is about, the same as long as it lasts: "uplink/pacs"
  std::string severity;  // "warning" or "critical"
  std::string text;      // in our own words
  bool operator==(const CentralAlarm&) const = default;
};

/// Where and when an event was seen.
struct EventOrigin {
  std::string boot_id;
  std::string session;  // as in CentralMessage
  std::string now_instant;
};

/// `present`: all there are now, each name once. Queues an event (docs/mqtt/events.schema.json) for
/// each that is new or has another severity, and for each that is over. Times are told, never
/// compared: a wrong clock changes nothing else.
core::Status note_alarms(crypto::Connection& connection, const std::vector<CentralAlarm>& present,
                         const EventOrigin& origin);

}  // namespace gateway::sync
