#include "sync/central_outbox.h"

#include <algorithm>
#include <map>

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr int kSchemaVersion = 1;
constexpr char kEvents[] = "events";

struct Noted {
  CentralAlarm alarm;
  std::string raised_at;
};

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
                         const std::string& boot_id, const std::string& now_instant) {
  return queue_central(connection, kEvents, /*is_retained=*/false,
                       Json::object({{"schema", kSchemaVersion},
                                     {"event", event},
                                     {"alarm", noted.alarm.name},
                                     {"severity", noted.alarm.severity},
                                     {"text", noted.alarm.text},
                                     {"raised_at", noted.raised_at},
                                     {"at", now_instant},
                                     {"boot_id", boot_id}}));
}

}  // namespace

core::Status queue_central(Connection& connection, const std::string& topic, bool is_retained,
                           const Json& payload) {
  GW_CHECK(connection.run("INSERT INTO central_message (topic, retained, payload) VALUES (?, ?, ?)",
                          topic, is_retained, payload.dump()));
  return connection.run(
      "DELETE FROM central_message WHERE number <= (SELECT number FROM central_message"
      " ORDER BY number DESC LIMIT 1 OFFSET ?)",
      kCentralMessagesMax);
}

core::Result<std::vector<CentralMessage>> oldest_central(Connection& connection,
                                                         std::int64_t count_max) {
  GW_TRY(auto rows, connection.query("SELECT number, topic, retained, payload FROM central_message"
                                     " ORDER BY number LIMIT ?",
                                     count_max));
  std::vector<CentralMessage> messages;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return messages;
    messages.push_back({rows.integer(0), std::string(rows.text(1)), rows.integer(2) != 0,
                        std::string(rows.text(3))});
  }
}

core::Result<std::int64_t> newest_central(Connection& connection) {
  GW_TRY(const auto newest, connection.integer("SELECT MAX(number) FROM central_message"));
  return newest.value_or(0);
}

core::Result<std::int64_t> count_central(Connection& connection) {
  GW_TRY(const auto count, connection.integer("SELECT COUNT(*) FROM central_message"));
  return count.value_or(0);
}

core::Status forget_central(Connection& connection, std::int64_t number) {
  return connection.run("DELETE FROM central_message WHERE number = ?", number);
}

core::Status note_alarms(Connection& connection, const std::vector<CentralAlarm>& present,
                         const std::string& boot_id, const std::string& now_instant) {
  GW_TRY(const auto noted, noted_alarms(connection));
  for (const auto& [name, old] : noted) {
    const auto still = std::ranges::find(present, name, &CentralAlarm::name);
    if (still != present.end() && still->severity == old.alarm.severity) continue;
    GW_CHECK(queue_event(connection, "cleared", old, boot_id, now_instant));
    GW_CHECK(connection.run("DELETE FROM central_alarm WHERE name = ?", name));
  }
  for (const CentralAlarm& alarm : present) {
    const auto old = noted.find(alarm.name);
    if (old != noted.end() && old->second.alarm.severity == alarm.severity) continue;
    GW_CHECK(connection.run(
        "INSERT INTO central_alarm (name, severity, text, raised_at) VALUES (?, ?, ?, ?)",
        alarm.name, alarm.severity, alarm.text, now_instant));
    GW_CHECK(queue_event(connection, "raised", {alarm, now_instant}, boot_id, now_instant));
  }
  return {};
}

}  // namespace gateway::sync
