#include "sync/commitment.h"

#include <optional>

#include "core/text.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

// PS3.3 C.14.1.1.
constexpr std::int64_t kCommitted = 0;
constexpr std::int64_t kProcessingFailure = 0x0110;
constexpr std::int64_t kNoSuchObject = 0x0112;
constexpr std::int64_t kClassConflict = 0x0119;

// Per turn; what is left comes with the next one.
constexpr int kDecidedAtOnce = 1'000;

core::Result<std::vector<CommitmentReport::Verdict>> items_of(Connection& connection,
                                                              std::int64_t number) {
  GW_TRY(auto rows, connection.query("SELECT sop_class_uid, sop_instance_uid, coalesce(verdict, 0)"
                                     " FROM commitment_item WHERE commitment = ? ORDER BY position",
                                     number));
  std::vector<CommitmentReport::Verdict> items;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return items;
    items.push_back({{std::string(rows.text(0)), std::string(rows.text(1))},
                     static_cast<std::uint16_t>(rows.integer(2))});
  }
}

core::Result<bool> names_the_same(Connection& connection, std::int64_t number,
                                  const std::vector<CommitmentItem>& items) {
  GW_TRY(const auto held, items_of(connection, number));
  if (held.size() != items.size()) return false;
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (held[i].item.sop_instance_uid != items[i].sop_instance_uid ||
        held[i].item.sop_class_uid != items[i].sop_class_uid)
      return false;
  }
  return true;
}

struct OpenItem {
  std::int64_t commitment = 0;
  std::int64_t position = 0;
  bool is_held = false;
  bool same_class = false;
  bool is_damaged = false;
  bool is_verified_there = false;
  bool is_verified_here = false;
};

/// Those about which something can be said: what only waits must not stand before it. Other bytes
/// under the same UID count too: which of them the modality means, and will erase, nobody knows.
core::Result<std::vector<OpenItem>> open_items(Connection& connection, CommitmentRule rule,
                                               int limit) {
  const std::string some_copy = core::cat(
      "EXISTS (SELECT 1 FROM dicom_instance o WHERE o.sop_instance_uid = c.sop_instance_uid AND"
      " NOT EXISTS (SELECT 1 FROM dicom_delivery d WHERE d.instance = o.row AND ",
      kIsProven, ")");
  GW_TRY(auto rows,
         connection.query(
             core::cat("SELECT * FROM (SELECT c.commitment, c.position, i.row IS NOT NULL AS held,"
                       " i.sop_class_uid = c.sop_class_uid AS same_class, ",
                       some_copy, " AND o.state = 'damaged') AS damaged, NOT ", some_copy,
                       ") AS there, NOT ", some_copy,
                       " AND (o.digest = '' OR o.state <> 'held')) AS here"
                       " FROM commitment_item c LEFT JOIN dicom_instance i ON i.sop_instance_uid ="
                       " c.sop_instance_uid AND i.copy = 0 WHERE c.verdict IS NULL)"
                       " WHERE NOT held OR NOT same_class OR damaged OR there OR (here AND ?)"
                       " ORDER BY commitment, position LIMIT ?"),
             rule == CommitmentRule::stored, limit));
  std::vector<OpenItem> items;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return items;
    items.push_back({rows.integer(0), rows.integer(1), rows.integer(2) != 0, rows.integer(3) != 0,
                     rows.integer(4) != 0, rows.integer(5) != 0, rows.integer(6) != 0});
  }
}

/// Nothing: it stays pending.
std::optional<std::int64_t> verdict_of(const OpenItem& item, CommitmentRule rule,
                                       const std::function<bool(std::int64_t)>& may_still_come) {
  if (!item.is_held) {
    if (may_still_come(item.commitment)) return std::nullopt;
    return kNoSuchObject;
  }
  if (!item.same_class) return kClassConflict;
  // The second copy's proof was made by comparing it with what was whole here then.
  if (item.is_verified_there) return kCommitted;
  if (item.is_damaged) return kProcessingFailure;
  if (rule == CommitmentRule::stored && item.is_verified_here) return kCommitted;
  return std::nullopt;
}

}  // namespace

core::Status record_commitment(Connection& connection, const CommitmentRequest& request,
                               const std::string& now) {
  GW_TRY(const auto known,
         connection.integer(
             "SELECT number FROM commitment WHERE transaction_uid = ? AND calling_ae_title = ?",
             request.transaction_uid, request.calling_ae_title));
  if (known) {
    GW_TRY(const bool same, names_the_same(connection, *known, request.items));
    if (!same)
      return core::Error(core::Code::exists, "that transaction named other instances before");
    return connection.run(
        "UPDATE commitment SET state = 'decided' WHERE number = ? AND state = 'told'", *known);
  }
  GW_CHECK(connection.run(
      "INSERT INTO commitment (transaction_uid, calling_ae_title, called_ae_title, peer_address,"
      " asked_at) VALUES (?, ?, ?, ?, ?)",
      request.transaction_uid, request.calling_ae_title, request.called_ae_title,
      request.peer_address, now));
  const std::int64_t number = connection.last_row();
  std::int64_t position = 0;
  for (const CommitmentItem& item : request.items) {
    GW_CHECK(connection.run(
        "INSERT INTO commitment_item (commitment, position, sop_class_uid, sop_instance_uid)"
        " VALUES (?, ?, ?, ?)",
        number, position++, item.sop_class_uid, item.sop_instance_uid));
  }
  return {};
}

core::Result<bool> may_decide_commitments(Connection& connection, CommitmentRule rule) {
  GW_TRY(const auto items, open_items(connection, rule, 1));
  return !items.empty();
}

core::Result<std::int64_t> decide_commitments(
    Connection& connection, CommitmentRule rule,
    const std::function<bool(std::int64_t)>& may_still_come) {
  GW_TRY(const auto items, open_items(connection, rule, kDecidedAtOnce));
  for (const OpenItem& item : items) {
    const auto verdict = verdict_of(item, rule, may_still_come);
    if (!verdict) continue;
    GW_CHECK(connection.run(
        "UPDATE commitment_item SET verdict = ? WHERE commitment = ? AND position = ?", *verdict,
        item.commitment, item.position));
  }
  GW_CHECK(connection.run(
      "UPDATE commitment SET state = 'decided' WHERE state = 'open' AND NOT EXISTS (SELECT 1 FROM"
      " commitment_item c WHERE c.commitment = number AND c.verdict IS NULL)"));
  return connection.changes();
}

core::Result<std::vector<Question>> commitment_questions(Connection& connection,
                                                         const std::string& uplink,
                                                         const std::string& asked_before,
                                                         std::int64_t after, std::int64_t limit) {
  // CROSS: the open items lead, however few they are beside all instances.
  constexpr std::string_view kOpen =
      "SELECT DISTINCT i.row FROM commitment_item c CROSS JOIN dicom_instance i ON"
      " i.sop_instance_uid = c.sop_instance_uid";
  constexpr std::string_view kInOrder =
      " WHERE c.verdict IS NULL AND i.state = 'held' AND i.row > ? ORDER BY i.row LIMIT ?";
  const auto ask = [&]() -> core::Result<crypto::Rows> {
    if (uplink.empty())
      return connection.query(core::cat(kOpen, " AND i.digest = ''", kInOrder), after, limit);
    // Read back before and not good: no use asking at once again.
    return connection.query(
        core::cat(kOpen,
                  " JOIN dicom_delivery d ON d.instance = i.row AND d.uplink = ? AND (d.proof IN"
                  " ('stored', 'present') OR (d.proof IN ('differs', 'missing') AND d.at < ?))",
                  kInOrder),
        uplink, asked_before, after, limit);
  };
  GW_TRY(auto rows, ask());
  std::vector<Question> questions;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return questions;
    questions.push_back({rows.integer(0), uplink});
  }
}

core::Result<std::optional<CommitmentReport>> next_commitment_to_tell(
    Connection& connection, std::int64_t after, const std::set<std::string>& not_to) {
  CommitmentReport report;
  {
    GW_TRY(auto rows,
           connection.query("SELECT number, transaction_uid, calling_ae_title, called_ae_title,"
                            " peer_address FROM commitment WHERE state = 'decided' AND number > ?"
                            " ORDER BY number",
                            after));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) return std::optional<CommitmentReport>();
      const auto text = [&](int column) { return std::string(rows.text(column)); };
      report = {rows.integer(0), text(1), text(2), text(3), text(4), {}};
      if (!not_to.contains(report.calling_ae_title)) break;
    }
  }
  GW_TRY(report.verdicts, items_of(connection, report.number));
  return std::optional<CommitmentReport>(std::move(report));
}

core::Status commitment_told(Connection& connection, std::int64_t number, const std::string& now,
                             const std::string& forget_before) {
  GW_CHECK(connection.run(
      "UPDATE commitment SET state = 'told', told_at = ? WHERE number = ? AND state = 'decided'",
      now, number));
  return connection.run("DELETE FROM commitment WHERE state = 'told' AND told_at < ?",
                        forget_before);
}

}  // namespace gateway::sync
