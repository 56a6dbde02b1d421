#include "sync/fhir_followed.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "core/text.h"
#include "sync/fhir_deletions.h"
#include "sync/pull_state.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;
using crypto::Connection;

constexpr auto kEvery = std::chrono::hours(1);
// Servers and proxies take request targets of 8 KiB; a page's other parameters are short.
constexpr std::size_t kQueryMax = 4'000;
// Each question goes on from where it itself was answered.
constexpr char kById[] = "Patient followed by _id";
constexpr char kByIdentifier[] = "Patient followed by identifier";
constexpr char kRegistered[] = "Patient registered";  // a row of resource_version

/// Whom to ask for.
struct Followed {
  std::vector<std::string> ids;  // the server's, of records that are agreed upon with it
  std::string ids_since;
  // SYSTEM|VALUE of patients that were registered here: those who were asked for before, and those
  // who are new or changed since.
  std::vector<std::string> known, registered;
  std::string known_since;
  std::int64_t newest = 0;  // row of the registered
};

/// A token parameter's value: FHIR R4 3.1.1.4.0 escapes what separates values.
std::string token(std::string_view system, std::string_view value) {
  std::string escaped;
  for (const char letter : value) {
    if (letter == '\\' || letter == '|' || letter == ',' || letter == '$') escaped += '\\';
    escaped += letter;
  }
  return core::net::url_encode(core::cat(system, "|", escaped));
}

core::Status read_ids(Connection& connection, const std::string& uplink, Followed& followed) {
  GW_TRY(followed.ids_since, saved_cursor(connection, uplink, kById));
  GW_TRY(auto rows, connection.query("SELECT coalesce(s.server_id, b.id) FROM resource_base b"
                                     " JOIN resource r ON r.type = b.type AND r.id = b.id"
                                     " LEFT JOIN server_id s ON s.uplink = b.uplink AND"
                                     " s.type = b.type AND s.id = b.id"
                                     " WHERE b.uplink = ? AND b.type = 'Patient' AND r.deleted = 0"
                                     " ORDER BY b.id",
                                     uplink));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return {};
    followed.ids.push_back(core::net::url_encode(rows.text(0)));
  }
}

core::Status read_own(Connection& connection, const std::string& uplink, Followed& followed) {
  GW_TRY(followed.known_since, saved_cursor(connection, uplink, kByIdentifier));
  GW_TRY(const std::string mark, saved_cursor(connection, uplink, kRegistered));
  std::int64_t asked_until = 0;
  std::from_chars(mark.data(), mark.data() + mark.size(), asked_until);
  // By the newest version: an identifier may come long after the registration. A number that
  // nobody is named as the issuer of is anybody's.
  GW_TRY(auto rows,
         connection.query("SELECT n.rowid, i.system, i.value FROM resource_version v"
                          " JOIN resource r ON r.type = v.type AND r.id = v.id"
                          " JOIN resource_version n ON n.type = r.type AND n.id = r.id AND"
                          " n.version = r.version"
                          " JOIN resource_identifier i ON i.type = v.type AND i.id = v.id"
                          " WHERE v.type = 'Patient' AND v.version = 1 AND v.origin = 'clinic'"
                          " AND r.deleted = 0 AND i.system <> '' ORDER BY n.rowid"));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return {};
    followed.newest = rows.integer(0);
    auto& list = rows.integer(0) > asked_until ? followed.registered : followed.known;
    list.push_back(token(rows.text(1), rows.text(2)));
  }
}

/// The ids only where they are to be asked for: they are all patients the clinic has.
core::Result<Followed> read_followed(Connection& connection, const std::string& uplink,
                                     bool with_ids) {
  Followed followed;
  if (with_ids) GW_CHECK(read_ids(connection, uplink, followed));
  GW_CHECK(read_own(connection, uplink, followed));
  return followed;
}

/// "Patient?<name>=a,b,…", as few as their length allows.
std::vector<std::string> in_queries(std::string_view name, const std::vector<std::string>& values) {
  std::vector<std::string> queries;
  for (const std::string& value : values) {
    if (queries.empty() || queries.back().size() + value.size() > kQueryMax) {
      queries.push_back(core::cat("Patient?", name, "=", value));
    } else {
      queries.back() += core::cat(",", value);
    }
  }
  return queries;
}

bool brings_every_patient(const std::vector<std::string>& queries) {
  return std::ranges::find(queries, "Patient") != queries.end();
}

}  // namespace

Awaitable<bool> FollowedPatients::ask(const Pulling& pulling, std::string_view name,
                                      std::vector<std::string> values, std::string since,
                                      std::string& until) {
  bool is_answered = true;
  for (std::string& query : in_queries(name, values)) {
    QueryAsked asked{std::move(query), since, false};
    auto end = co_await pull_query(pulling, std::move(asked));
    std::string why = end.ok() ? end->refused : end.error().message();
    if (!why.empty()) {
      refused_ = core::cat("search for known patients by ", name, ": ", why,
                           "; their records come as far as queries of pull find them");
      co_return false;
    }
    applied_ += end->applied;
    is_answered = is_answered && !end->is_to_be_repeated;
    // What changes meanwhile is asked for the next time.
    if (until.empty() || end->until < until) until = end->until;
  }
  co_return is_answered;
}

Awaitable<std::int64_t> FollowedPatients::pull(const Pulling& pulling,
                                               const std::vector<std::string>& queries) {
  applied_ = 0;
  if (queries.empty() || brings_every_patient(queries)) co_return 0;
  const core::Monotonic now = pulling.clock.monotonic();
  const bool is_due = now >= next_;
  if (!is_due && now < next_registered_) co_return 0;
  auto followed = pulling.holdings.database().read_value<Followed>(
      [&](Connection& connection) { return read_followed(connection, pulling.uplink, is_due); });
  if (is_due) refused_.clear();
  core::Status saved = followed.ok() ? core::Status() : core::Status(followed.error());
  if (saved.ok() && !followed->registered.empty() && now >= next_registered_) {
    // Whatever the server has known for long.
    std::string until;
    const bool is_answered =
        co_await ask(pulling, "identifier", std::move(followed->registered), std::string(), until);
    std::string name = kRegistered;
    if (is_answered) {
      saved = co_await save_cursor(pulling, std::move(name), std::to_string(followed->newest));
    } else {
      next_registered_ = now + kEvery;
    }
  }
  if (saved.ok() && is_due) {
    next_ = now + kEvery;
    std::string until;
    bool is_answered = co_await ask(pulling, "identifier", std::move(followed->known),
                                    followed->known_since, until);
    std::string name = kByIdentifier;
    if (is_answered && !until.empty())
      saved = co_await save_cursor(pulling, std::move(name), std::move(until));
    until.clear();
    is_answered =
        co_await ask(pulling, "_id", std::move(followed->ids), followed->ids_since, until);
    name = kById;
    if (saved.ok() && is_answered && !until.empty())
      saved = co_await save_cursor(pulling, std::move(name), std::move(until));
  }
  if (!saved.ok()) refused_ = core::cat("search for known patients: ", saved.error().message());
  co_return applied_;
}

}  // namespace gateway::sync
