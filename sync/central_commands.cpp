#include "sync/central_commands.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/central_outbox.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using crypto::Connection;

constexpr int kSchemaVersion = 1;

std::string topic_of(std::string_view id) { return cat("command/", id); }

Error refused(std::string why) { return {Code::refused, std::move(why)}; }

/// Tells the state as it is recorded now.
core::Status tell(Connection& connection, const std::string& id) {
  GW_TRY(auto rows, connection.query("SELECT kind, signer, state, at, reason, result FROM"
                                     " central_command WHERE id = ?",
                                     id));
  GW_TRY(const bool there, rows.next());
  if (!there) return Error(Code::not_found, cat("there is no command ", id));
  const std::string_view reason = rows.text(4);
  Json state = Json::object({{"schema", kSchemaVersion},
                             {"id", id},
                             {"kind", rows.text(0)},
                             {"key", rows.text(1)},
                             {"state", rows.text(2)},
                             {"at", rows.text(3)}});
  state.set("reason", reason.empty() ? Json() : Json(reason));
  if (const auto result = Json::parse(rows.text(5)); result.ok()) state.set("result", *result);
  return queue_retained(connection, topic_of(id), state);
}

core::Result<core::Wall> passed(Connection& connection) {
  GW_TRY(const auto text, connection.text("SELECT passed FROM central_command_time"));
  return core::parse_instant(text.value_or("")).value_or(core::Wall());
}

core::Status note_passed(Connection& connection, const std::string& instant) {
  return connection.run(
      "INSERT INTO central_command_time (only, passed) VALUES (1, ?)"
      " ON CONFLICT (only) DO UPDATE SET passed = MAX(passed, excluded.passed)",
      instant);
}

core::Status check_times(const CentralCommand& command, core::Wall now) {
  if (command.expires <= command.issued)
    return refused("it expires before it was issued; look at the clock of whoever signed it");
  if (command.expires - command.issued > kCommandLifeMax)
    return refused("it may be carried out for more than seven days; give it less time");
  if (command.issued > now + kCommandClockSlack)
    return refused(cat("it is issued later than it is here, ", core::to_instant(now),
                       "; one of the two clocks is wrong"));
  if (command.expires <= now)
    return refused(cat("it has expired: it is ", core::to_instant(now), " here"));
  return {};
}

/// Forgets the one whose time was over first, where there is no room.
core::Status make_room(Connection& connection, core::Wall now) {
  GW_TRY(const auto count, connection.integer("SELECT COUNT(*) FROM central_command"));
  if (count.value_or(0) < kCommandsRememberedMax) return {};
  std::string id;
  std::string expires_at;
  bool retained = false;
  {
    GW_TRY(auto rows,
           connection.query("SELECT id, expires_at, retained FROM central_command WHERE state IN"
                            " ('done', 'failed') AND expires_at <= ? ORDER BY expires_at LIMIT 1",
                            core::to_instant(now)));
    GW_TRY(const bool there, rows.next());
    if (!there) return refused("too many commands have time left; wait until some expired");
    id = rows.text(0);
    expires_at = rows.text(1);
    retained = rows.integer(2) != 0;
  }
  GW_CHECK(note_passed(connection, expires_at));
  if (retained) GW_CHECK(queue_retained(connection, topic_of(id), Json()));
  return connection.run("DELETE FROM central_command WHERE id = ?", id);
}

core::Status clear_old_states(Connection& connection) {
  std::vector<std::string> old;
  {
    GW_TRY(auto rows, connection.query("SELECT id FROM central_command WHERE retained = 1 AND state"
                                       " IN ('done', 'failed') AND number <= (SELECT MAX(number)"
                                       " FROM central_command) - ?",
                                       kCommandStatesMax));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      old.emplace_back(rows.text(0));
    }
  }
  for (const std::string& id : old) {
    GW_CHECK(queue_retained(connection, topic_of(id), Json()));
    GW_CHECK(connection.run("UPDATE central_command SET retained = 0 WHERE id = ?", id));
  }
  return {};
}

core::Status set_state(Connection& connection, const std::string& id, std::string_view state,
                       std::string_view at, const CommandEnd& end) {
  GW_CHECK(connection.run(
      "UPDATE central_command SET state = ?, at = ?, reason = ?, result = ? WHERE id = ?", state,
      at, end.reason, end.result.is_null() ? "" : end.result.dump(), id));
  return tell(connection, id);
}

}  // namespace

core::Result<Admission> admit_command(Connection& connection, const CentralCommand& command,
                                      core::Wall now) {
  GW_TRY(const auto digest,
         connection.text("SELECT digest FROM central_command WHERE id = ?", command.id));
  if (digest && *digest != command.digest)
    return refused("its id was used by another command; draw a new one");
  if (digest) {
    GW_CHECK(connection.run("UPDATE central_command SET retained = 1 WHERE id = ?", command.id));
    GW_CHECK(tell(connection, command.id));
    return Admission::repeated;
  }
  GW_TRY(const core::Wall proven, passed(connection));
  const core::Wall earliest = std::max(now, proven);
  GW_CHECK(check_times(command, earliest));
  GW_CHECK(make_room(connection, earliest));
  GW_CHECK(note_passed(connection, core::to_instant(command.issued)));
  GW_CHECK(connection.run(
      "INSERT INTO central_command (id, digest, signer, kind, parameters, expires_at,"
      " state, at, reason, result, retained)"
      " VALUES (?, ?, ?, ?, ?, ?, 'accepted', ?, '', '', 1)",
      command.id, command.digest, command.signer, command.kind, command.parameters,
      core::to_instant(command.expires), core::to_instant(now)));
  GW_CHECK(tell(connection, command.id));
  GW_CHECK(clear_old_states(connection));
  return Admission::accepted;
}

core::Result<std::optional<CentralCommand>> next_command(Connection& connection) {
  GW_TRY(auto rows, connection.query("SELECT id, digest, signer, kind, parameters, expires_at FROM"
                                     " central_command WHERE state = 'accepted'"
                                     " ORDER BY number LIMIT 1"));
  GW_TRY(const bool there, rows.next());
  std::optional<CentralCommand> command;
  if (!there) return command;
  command.emplace();
  command->id = rows.text(0);
  command->digest = rows.text(1);
  command->signer = rows.text(2);
  command->kind = rows.text(3);
  command->parameters = rows.text(4);
  command->expires = core::parse_instant(rows.text(5)).value_or(core::Wall());
  return command;
}

core::Status begin_command(Connection& connection, const std::string& id,
                           std::string_view now_instant) {
  return set_state(connection, id, "running", now_instant, {});
}

core::Status end_command(Connection& connection, const std::string& id, const CommandEnd& end,
                         std::string_view now_instant) {
  return set_state(connection, id, end.reason.empty() ? "done" : "failed", now_instant, end);
}

core::Status fail_interrupted_commands(Connection& connection, std::string_view now_instant) {
  while (true) {
    GW_TRY(const auto id, connection.text("SELECT id FROM central_command WHERE state = 'running'"
                                          " ORDER BY number LIMIT 1"));
    if (!id) return {};
    GW_CHECK(end_command(connection, *id,
                         {"the gateway stopped while it ran; look what came of it before it is "
                          "sent anew under another id"},
                         now_instant));
  }
}

}  // namespace gateway::sync
