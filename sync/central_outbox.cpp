#include "sync/central_outbox.h"

#include <algorithm>
#include <map>

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr int kSchemaVersion = 1;

struct Noted {
  CentralAlarm alarm;
  std::string raised_at;
};

core::Status queue(Connection& connection, const std::string& topic, const std::string& session,
                   const std::string& payload, bool retained) {
  GW_CHECK(connection.run(
      "INSERT INTO central_message (topic, session, payload, retained) VALUES (?, ?, ?, ?)", topic,
      session, payload, retained ? 1 : 0));
  return connection.run(
      "DELETE FROM central_message WHERE number <= (SELECT number FROM central_message"
      " ORDER BY number DESC LIMIT 1 OFFSET ?)",
      kCentralMessagesMax);
}

core::Result<std::map<std::string, Noted>> noted_alarms(Connection& connection) {
  GW_TRY(auto rows, connection.query("SELECT name, severity, text, raised_at FROM central_alarm"));
  std::map<std::string, Noted> noted;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return noted;
    std::string name(rows.text(0));
    CentralAlarm alarm{name, std::string(rows.text(1)), std::string(rows.text(2))};
    noted[std::move(name)] = {std::move(alarm), std::string(rows.text(3))};
  }
}

core::Status queue_event(Connection& connection, const char* event, const Noted& noted,
                         const EventOrigin& origin) {
  return queue_central(connection, kCentralEvents, origin.session,
                       Json::object({{"schema", kSchemaVersion},
                                     {"event", event},
                                     {"alarm", noted.alarm.name},
                                     {"severity", noted.alarm.severity},
                                     {"text", noted.alarm.text},
                                     {"raised_at", noted.raised_at},
                                     {"at", origin.now_instant},
                                     {"boot_id", origin.boot_id}}));
}

}  // namespace

core::Status queue_central(Connection& connection, const std::string& topic,
                           const std::string& session, const Json& payload) {
  return queue(connection, topic, session, payload.dump(), false);
}

core::Status queue_parts(Connection& connection, const std::string& topic,
                         const std::vector<Json>& parts) {
  GW_CHECK(connection.run("DELETE FROM central_message WHERE topic = ?", topic));
  for (const Json& part : parts) GW_CHECK(queue(connection, topic, "", part.dump(), false));
  return {};
}

core::Status queue_retained(Connection& connection, const std::string& topic, const Json& payload) {
  GW_CHECK(connection.run("DELETE FROM central_message WHERE retained = 1 AND topic = ?", topic));
  return queue(connection, topic, "", payload.is_null() ? "" : payload.dump(), true);
}

core::Result<std::vector<CentralMessage>> oldest_central(Connection& connection,
                                                         std::int64_t count_max) {
  // Parts of a bundle last: they are large, and a broker that refuses them must not keep alarms
  // back.
  GW_TRY(auto rows, connection.query("SELECT number, topic, session, payload, retained FROM"
                                     " central_message ORDER BY topic = ?, number LIMIT ?",
                                     kCentralDiagnostics, count_max));
  std::vector<CentralMessage> messages;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return messages;
    messages.push_back({rows.integer(0), std::string(rows.text(1)), std::string(rows.text(2)),
                        std::string(rows.text(3)), rows.integer(4) != 0});
  }
}

core::Result<std::int64_t> count_central(Connection& connection) {
  GW_TRY(const auto count, connection.integer("SELECT COUNT(*) FROM central_message"));
  return count.value_or(0);
}

core::Status forget_central(Connection& connection, std::int64_t number) {
  return connection.run("DELETE FROM central_message WHERE number = ?", number);
}

core::Status note_alarms(Connection& connection, const std::vector<CentralAlarm>& present,
                         const EventOrigin& origin) {
  GW_TRY(const auto noted, noted_alarms(connection));
  for (const auto& [name, old] : noted) {
    const auto still = std::ranges::find(present, name, &CentralAlarm::name);
    if (still != present.end() && still->severity == old.alarm.severity) continue;
    GW_CHECK(queue_event(connection, "cleared", old, origin));
    GW_CHECK(connection.run("DELETE FROM central_alarm WHERE name = ?", name));
  }
  for (const CentralAlarm& alarm : present) {
    const auto old = noted.find(alarm.name);
    if (old != noted.end() && old->second.alarm.severity == alarm.severity) continue;
    GW_CHECK(connection.run(
        "INSERT INTO central_alarm (name, severity, text, raised_at) VALUES (?, ?, ?, ?)",
        alarm.name, alarm.severity, alarm.text, origin.now_instant));
    GW_CHECK(queue_event(connection, "raised", {alarm, origin.now_instant}, origin));
  }
  return {};
}

}  // namespace gateway::sync
