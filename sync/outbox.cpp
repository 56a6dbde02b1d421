#include "sync/outbox.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "sync/reference_order.h"
#include "sync/replica.h"
#include "sync/urgency.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

// Rows that are not due are stepped over; past this many the claim stops looking until some of them
// are done.
constexpr int kScanMax = 2'000;

core::Status delete_row(Connection& connection, std::int64_t number) {
  // Numbers are used again: nobody may be left waiting for this one.
  GW_CHECK(connection.run("UPDATE outbox SET needs = NULL WHERE needs = ?", number));
  return connection.run("DELETE FROM outbox WHERE number = ?", number);
}

core::Status finish_row(Connection& connection, std::string_view uplink, const Verdict& verdict,
                        std::string_view now) {
  std::string kind;
  std::string subject;
  {
    GW_TRY(auto rows,
           connection.query("SELECT kind, subject FROM outbox WHERE number = ?", verdict.number));
    GW_TRY(const bool found, rows.next());
    if (!found) return {};
    kind = rows.text(0);
    subject = rows.text(1);
  }
  if (kind == "instance") {
    GW_CHECK(
        connection.run("INSERT OR REPLACE INTO dicom_delivery (instance, uplink, proof, at)"
                       " VALUES (CAST(? AS INTEGER), ?, ?, ?)",
                       subject, uplink, verdict.found_there ? "present" : "stored", now));
  } else if (const auto key = parse_reference(subject)) {
    GW_CHECK(put_base(connection, uplink, *key, {verdict.remote_version, verdict.local_version}));
    // What waits there was read before, and is older.
    GW_CHECK(connection.run("DELETE FROM inbox WHERE uplink = ? AND type = ? AND id = ?", uplink,
                            key->type, key->id));
    // That was the same work.
    GW_CHECK(drop_parked(connection, uplink, subject));
  }
  GW_CHECK(delete_row(connection, verdict.number));
  return connection.run(
      "INSERT INTO uplink_success (uplink, at) VALUES (?, ?)"
      " ON CONFLICT (uplink) DO UPDATE SET at = excluded.at",
      uplink, now);
}

/// A row that goes back to waiting beside a newer waiting row of its subject is one piece of work,
/// not two.
core::Status fold_into_waiting(Connection& connection, std::int64_t number) {
  GW_TRY(
      const auto twin,
      connection.integer("SELECT w.number FROM outbox o JOIN outbox w ON w.kind = 'resource' AND "
                         "w.subject = o.subject"
                         " AND w.uplink = o.uplink AND w.state = 'waiting' AND w.number <> o.number"
                         " WHERE o.number = ? AND o.kind = 'resource' AND o.state = 'waiting'",
                         number));
  if (!twin) return {};
  GW_CHECK(connection.run(
      "UPDATE outbox SET perhaps_sent = max(outbox.perhaps_sent, twin.perhaps_sent),"
      " turn = min(outbox.turn, twin.turn), needs = coalesce(outbox.needs, twin.needs)"
      " FROM outbox twin WHERE twin.number = ? AND outbox.number = ?",
      *twin, number));
  GW_CHECK(connection.run("UPDATE outbox SET needs = ? WHERE needs = ?", number, *twin));
  return connection.run("DELETE FROM outbox WHERE number = ?", *twin);
}

/// A row's place in the order of sending.
struct Place {
  std::int64_t turn = 0;
  std::int64_t number = 0;
};
struct DueRow {
  OutboxRow row;
  Place place;
};

/// The first row in `where` that neither needs another nor has one of its subject being sent.
std::string sql_of_first_due(std::string_view where) {
  return core::cat(
      "SELECT number, kind, subject, bytes, attempts, perhaps_sent, turn FROM outbox o"
      " WHERE uplink = ? AND state = 'waiting' AND ",
      where,
      " AND NOT EXISTS (SELECT 1 FROM outbox n WHERE n.number = o.needs)"
      " AND (o.kind <> 'resource' OR NOT EXISTS (SELECT 1 FROM outbox s"
      " WHERE s.kind = 'resource' AND s.subject = o.subject AND s.uplink = o.uplink"
      " AND s.state = 'sending')) ORDER BY turn, number LIMIT 1");
}

core::Result<std::optional<DueRow>> first_of(crypto::Rows rows) {
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<DueRow>();
  return std::optional<DueRow>(
      DueRow{OutboxRow{rows.integer(0), std::string(rows.text(1)), std::string(rows.text(2)),
                       static_cast<std::uint64_t>(rows.integer(3)),
                       static_cast<int>(rows.integer(4)), rows.integer(5) != 0, 0},
             Place{rows.integer(6), rows.integer(0)}});
}

/// The first due row after `after`. Asked for in two steps: as one comparison of (turn, number)
/// SQLite would walk over the whole turn each time.
core::Result<std::optional<DueRow>> next_due(Connection& connection, std::string_view uplink,
                                             const Place& after) {
  static const std::string in_turn = sql_of_first_due("turn = ? AND number > ?");
  static const std::string in_later_turns = sql_of_first_due("turn > ?");
  GW_TRY(auto rest_of_turn, connection.query(in_turn, uplink, after.turn, after.number));
  GW_TRY(auto due, first_of(std::move(rest_of_turn)));
  if (due) return due;
  GW_TRY(auto later, connection.query(in_later_turns, uplink, after.turn));
  return first_of(std::move(later));
}

/// Lets `number` and whatever it needs go no later than in `turn`; answers whether any of them did.
core::Result<bool> hurry(Connection& connection, std::int64_t number, std::int64_t turn) {
  GW_CHECK(
      connection.run("WITH RECURSIVE first (number) AS (SELECT ? UNION SELECT o.needs FROM outbox o"
                     " JOIN first ON o.number = first.number WHERE o.needs IS NOT NULL)"
                     " UPDATE outbox SET turn = ?2 WHERE turn > ?2"
                     " AND number IN (SELECT number FROM first)",
                     number, turn));
  return connection.changes() > 0;
}

/// What the row has to wait for, or goes with. What it waits for is written down: from then on the
/// row is passed over by its `needs` alone.
core::Result<ReferenceOrder> wait_for_references(Connection& connection, std::string_view uplink,
                                                 const OutboxRow& row) {
  ReferenceOrder order;
  const auto key = row.kind == "resource" ? parse_reference(row.subject) : std::nullopt;
  if (!key) return order;
  GW_TRY(const auto held, read_resource(connection, *key));
  if (!held) return order;
  GW_TRY(order, reference_order(connection, uplink, *key, held->body));
  if (!order.first) return order;
  GW_CHECK(
      connection.run("UPDATE outbox SET needs = ? WHERE number = ?", *order.first, row.number));
  return order;
}

/// The others of a circle, as rows to be sent; empty: one of them is not due.
core::Result<std::vector<OutboxRow>> due_circle(Connection& connection, const OutboxRow& row,
                                                const std::vector<std::int64_t>& circle,
                                                const ClaimLimits& limits) {
  std::vector<OutboxRow> due;
  const auto is_among = [&](std::int64_t number) {
    return number == row.number || std::ranges::find(circle, number) != circle.end();
  };
  for (const std::int64_t number : circle) {
    GW_TRY(auto rows,
           connection.query("SELECT number, kind, subject, bytes, attempts, perhaps_sent, state,"
                            " coalesce((SELECT n.number FROM outbox n WHERE n.number = o.needs),"
                            " o.number) FROM outbox o WHERE number = ?",
                            number));
    GW_TRY(const bool found, rows.next());
    if (!found || rows.text(6) != "waiting" || !is_among(rows.integer(7)) ||
        limits.held.contains(number))
      return std::vector<OutboxRow>();
    OutboxRow other{number,
                    std::string(rows.text(1)),
                    std::string(rows.text(2)),
                    static_cast<std::uint64_t>(rows.integer(3)),
                    static_cast<int>(rows.integer(4)),
                    rows.integer(5) != 0,
                    row.number};
    if (limits.is_settling && limits.is_settling(other.subject)) return std::vector<OutboxRow>();
    due.push_back(std::move(other));
  }
  return due;
}

core::Status mark_sending(Connection& connection, const OutboxRow& row) {
  return connection.run("UPDATE outbox SET state = 'sending' WHERE number = ?", row.number);
}

core::Result<Turn> turn_of_subject(Connection& connection, std::string_view subject) {
  const auto key = parse_reference(subject);
  if (!key) return Turn::routine;
  GW_TRY(const auto held, read_resource(connection, *key));
  return held ? turn_of(held->body) : Turn::routine;
}

}  // namespace

core::Result<std::int64_t> queue_row(Connection& connection, std::string_view uplink,
                                     std::string_view kind, std::string_view subject,
                                     std::uint64_t bytes, std::optional<std::int64_t> needs,
                                     std::string_view now_instant, Turn latest) {
  // An instance is queued once in its life, so only resources can find their row waiting already.
  auto turn = static_cast<std::int64_t>(latest);
  if (kind == "resource") {
    GW_TRY(const Turn wanted, turn_of_subject(connection, subject));
    turn = std::min(turn, static_cast<std::int64_t>(wanted));
    GW_TRY(const auto waiting,
           connection.integer(
               "SELECT number FROM outbox WHERE kind = 'resource' AND subject = ? AND uplink = ?"
               " AND state = 'waiting'",
               subject, uplink));
    if (waiting) {
      GW_TRY([[maybe_unused]] const bool hurried, hurry(connection, *waiting, turn));
      return *waiting;
    }
  }
  const crypto::Bind need = needs ? crypto::Bind(*needs) : crypto::Bind(nullptr);
  GW_CHECK(
      connection.run("INSERT INTO outbox (uplink, kind, subject, bytes, needs, queued_at, turn)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?)",
                     uplink, kind, subject, bytes, need, now_instant, turn));
  const std::int64_t number = connection.last_row();
  if (needs) {
    GW_TRY([[maybe_unused]] const bool hurried, hurry(connection, *needs, turn));
  }
  return number;
}

core::Result<Claim> claim_rows(Connection& connection, std::string_view uplink,
                               const ClaimLimits& limits) {
  Claim claim;
  std::uint64_t bytes = 0;
  Place after;
  for (int looked = 0; claim.rows.size() < limits.rows_max && looked < kScanMax; ++looked) {
    GW_TRY(auto due, next_due(connection, uplink, after));
    if (!due) break;
    if (limits.only_stat && due->place.turn > static_cast<std::int64_t>(Turn::stat)) break;
    after = due->place;
    const OutboxRow& row = due->row;
    if (limits.held.contains(row.number)) continue;
    if (limits.is_settling && limits.is_settling(row.subject)) {
      claim.skipped_settling = true;
      continue;
    }
    if (!claim.rows.empty() && bytes + row.bytes > limits.bytes_max) break;
    ReferenceOrder order;
    if (!limits.in_any_order) {
      GW_TRY(order, wait_for_references(connection, uplink, row));
    }
    if (order.first) {
      // What it waits for may have been passed already, and be due now.
      GW_TRY(const bool hurried, hurry(connection, *order.first, due->place.turn));
      if (hurried) after = Place{};
      continue;
    }
    if (!order.circle.empty()) {
      GW_TRY(auto others, due_circle(connection, row, order.circle, limits));
      if (others.empty()) continue;
      due->row.circle = row.number;
      for (OutboxRow& other : others) {
        GW_CHECK(mark_sending(connection, other));
        claim.rows.push_back(std::move(other));
      }
    }
    bytes += row.bytes;
    GW_CHECK(mark_sending(connection, row));
    claim.rows.push_back(std::move(due->row));
  }
  return claim;
}

core::Status record_verdicts(Connection& connection, std::string_view uplink,
                             const std::vector<Verdict>& verdicts, std::string_view now_instant) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.what == Verdict::What::done) {
      GW_CHECK(finish_row(connection, uplink, verdict, now_instant));
      continue;
    }
    if (verdict.what == Verdict::What::drop) {
      GW_TRY(const auto subject,
             connection.text("SELECT subject FROM outbox WHERE number = ? AND kind = 'resource'",
                             verdict.number));
      // What was refused of it before is not wanted either.
      if (subject) GW_CHECK(drop_parked(connection, uplink, *subject));
      GW_CHECK(delete_row(connection, verdict.number));
      continue;
    }
    const bool park = verdict.what == Verdict::What::park;
    GW_CHECK(
        connection.run("UPDATE outbox SET state = ?, perhaps_sent = ?, attempts = attempts + ?, "
                       "reason = ? WHERE number = ?",
                       park ? "parked" : "waiting", verdict.perhaps_sent,
                       verdict.counts_as_attempt ? 1 : 0, verdict.reason, verdict.number));
    GW_CHECK(fold_into_waiting(connection, verdict.number));
  }
  return {};
}

core::Status drop_parked(Connection& connection, std::string_view uplink,
                         const std::string& subject) {
  constexpr std::string_view kParked =
      "(SELECT number FROM outbox WHERE uplink = ? AND kind = 'resource' AND subject = ?"
      " AND state = 'parked')";
  GW_CHECK(connection.run(core::cat("UPDATE outbox SET needs = NULL WHERE needs IN ", kParked),
                          uplink, subject));
  return connection.run(core::cat("DELETE FROM outbox WHERE number IN ", kParked), uplink, subject);
}

core::Status release_claims(Connection& connection) {
  std::vector<std::int64_t> numbers;
  {
    GW_TRY(auto rows, connection.query("SELECT number FROM outbox WHERE state = 'sending'"));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      numbers.push_back(rows.integer(0));
    }
  }
  for (const std::int64_t number : numbers) {
    GW_CHECK(connection.run(
        "UPDATE outbox SET state = 'waiting', perhaps_sent = 1 WHERE number = ?", number));
    GW_CHECK(fold_into_waiting(connection, number));
  }
  return {};
}

}  // namespace gateway::sync
