#include "sync/outbox.h"

#include "core/text.h"
#include "sync/reference_order.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

// Rows that are not due are stepped over; past this many the claim stops looking until some of them
// are done.
constexpr int kScanMax = 2'000;

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
  }
  // Numbers are used again: nobody may be left waiting for this one.
  GW_CHECK(connection.run("UPDATE outbox SET needs = NULL WHERE needs = ?", verdict.number));
  GW_CHECK(connection.run("DELETE FROM outbox WHERE number = ?", verdict.number));
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
      "UPDATE outbox SET perhaps_sent = max(perhaps_sent, (SELECT perhaps_sent FROM outbox WHERE "
      "number = ?)),"
      " needs = coalesce(needs, (SELECT needs FROM outbox WHERE number = ?)) WHERE number = ?",
      *twin, *twin, number));
  GW_CHECK(connection.run("UPDATE outbox SET needs = ? WHERE needs = ?", number, *twin));
  return connection.run("DELETE FROM outbox WHERE number = ?", *twin);
}

/// The oldest row after `after` that neither needs another nor has one of its subject being sent.
core::Result<std::optional<OutboxRow>> next_due(Connection& connection, std::string_view uplink,
                                                std::int64_t after) {
  GW_TRY(auto rows,
         connection.query(
             "SELECT number, kind, subject, bytes, attempts, perhaps_sent FROM outbox o"
             " WHERE uplink = ? AND state = 'waiting' AND number > ?"
             " AND NOT EXISTS (SELECT 1 FROM outbox n WHERE n.number = o.needs)"
             " AND (o.kind <> 'resource' OR NOT EXISTS (SELECT 1 FROM outbox s"
             " WHERE s.kind = 'resource' AND s.subject = o.subject AND s.uplink = o.uplink"
             " AND s.state = 'sending')) ORDER BY number LIMIT 1",
             uplink, after));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<OutboxRow>();
  return std::optional<OutboxRow>(
      OutboxRow{rows.integer(0), std::string(rows.text(1)), std::string(rows.text(2)),
                static_cast<std::uint64_t>(rows.integer(3)), static_cast<int>(rows.integer(4)),
                rows.integer(5) != 0});
}

/// Writes down what the row has to wait for; answers whether it has to. From then on the row is
/// passed over by its `needs` alone.
core::Result<bool> wait_for_references(Connection& connection, std::string_view uplink,
                                       const OutboxRow& row) {
  const auto key = row.kind == "resource" ? parse_reference(row.subject) : std::nullopt;
  if (!key) return false;
  GW_TRY(const auto held, read_resource(connection, *key));
  if (!held) return false;
  GW_TRY(const auto first, row_to_wait_for(connection, uplink, *key, held->body));
  if (!first) return false;
  GW_CHECK(connection.run("UPDATE outbox SET needs = ? WHERE number = ?", *first, row.number));
  return true;
}

}  // namespace

core::Result<std::int64_t> queue_row(Connection& connection, std::string_view uplink,
                                     std::string_view kind, std::string_view subject,
                                     std::uint64_t bytes, std::optional<std::int64_t> needs,
                                     std::string_view now_instant) {
  // An instance is queued once in its life, so only resources can find their row waiting already.
  if (kind == "resource") {
    GW_TRY(const auto waiting,
           connection.integer(
               "SELECT number FROM outbox WHERE kind = 'resource' AND subject = ? AND uplink = ?"
               " AND state = 'waiting'",
               subject, uplink));
    if (waiting) return *waiting;
  }
  const crypto::Bind need = needs ? crypto::Bind(*needs) : crypto::Bind(nullptr);
  GW_CHECK(
      connection.run("INSERT INTO outbox (uplink, kind, subject, bytes, needs, queued_at) VALUES "
                     "(?, ?, ?, ?, ?, ?)",
                     uplink, kind, subject, bytes, need, now_instant));
  return connection.last_row();
}

core::Result<Claim> claim_rows(Connection& connection, std::string_view uplink,
                               const ClaimLimits& limits) {
  Claim claim;
  std::uint64_t bytes = 0;
  std::int64_t after = 0;
  for (int looked = 0; claim.rows.size() < limits.rows_max && looked < kScanMax; ++looked) {
    GW_TRY(auto due, next_due(connection, uplink, after));
    if (!due) break;
    after = due->number;
    if (limits.held.contains(due->number)) continue;
    if (limits.is_settling && limits.is_settling(due->subject)) {
      claim.skipped_settling = true;
      continue;
    }
    if (!claim.rows.empty() && bytes + due->bytes > limits.bytes_max) break;
    GW_TRY(const bool waits, wait_for_references(connection, uplink, *due));
    if (waits) continue;
    bytes += due->bytes;
    GW_CHECK(connection.run("UPDATE outbox SET state = 'sending' WHERE number = ?", due->number));
    claim.rows.push_back(std::move(*due));
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
