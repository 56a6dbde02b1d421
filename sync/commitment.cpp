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

core::Result<std::vector<OpenItem>> open_items(Connection& connection) {
  GW_TRY(
      auto rows,
      connection.query(
          "SELECT c.commitment, c.position, i.row IS NOT NULL,"
          " i.sop_class_uid = c.sop_class_uid, i.state = 'damaged', EXISTS (SELECT 1 FROM"
          " dicom_delivery d WHERE d.instance = i.row AND d.proof = 'verified'),"
          " i.digest <> '' AND i.state = 'held' FROM commitment_item c LEFT JOIN dicom_instance i"
          " ON i.sop_instance_uid = c.sop_instance_uid AND i.copy = 0 WHERE c.verdict IS NULL"
          " ORDER BY c.commitment, c.position LIMIT ?",
          kDecidedAtOnce));
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

core::Result<std::int64_t> decide_commitments(
    Connection& connection, CommitmentRule rule,
    const std::function<bool(std::int64_t)>& may_still_come) {
  GW_TRY(const auto items, open_items(connection));
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
                                                         CommitmentRule rule,
                                                         const std::string& asked_before,
                                                         std::int64_t limit) {
  const auto ask = [&]() -> core::Result<crypto::Rows> {
    if (rule == CommitmentRule::stored) {
      return connection.query(
          "SELECT DISTINCT i.row, '' FROM commitment_item c JOIN dicom_instance i ON"
          " i.sop_instance_uid = c.sop_instance_uid AND i.copy = 0 WHERE c.verdict IS NULL AND"
          " i.state = 'held' AND i.digest = '' ORDER BY c.commitment LIMIT ?",
          limit);
    }
    // Read back before and not good: no use asking at once again.
    return connection.query(
        "SELECT DISTINCT i.row, d.uplink FROM commitment_item c JOIN dicom_instance i ON"
        " i.sop_instance_uid = c.sop_instance_uid AND i.copy = 0 JOIN dicom_delivery d ON"
        " d.instance = i.row WHERE c.verdict IS NULL AND i.state = 'held' AND (d.proof IN"
        " ('stored', 'present') OR (d.proof IN ('differs', 'missing') AND d.at < ?)) ORDER BY"
        " c.commitment LIMIT ?",
        asked_before, limit);
  };
  GW_TRY(auto rows, ask());
  std::vector<Question> questions;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return questions;
    questions.push_back({rows.integer(0), std::string(rows.text(1))});
  }
}

core::Result<std::vector<CommitmentReport>> commitments_to_tell(Connection& connection,
                                                                std::int64_t limit) {
  std::vector<CommitmentReport> reports;
  {
    GW_TRY(auto rows,
           connection.query("SELECT number, transaction_uid, calling_ae_title, called_ae_title,"
                            " peer_address FROM commitment WHERE state = 'decided' ORDER BY number"
                            " LIMIT ?",
                            limit));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      const auto text = [&](int column) { return std::string(rows.text(column)); };
      reports.push_back({rows.integer(0), text(1), text(2), text(3), text(4), {}});
    }
  }
  for (CommitmentReport& report : reports) {
    GW_TRY(report.verdicts, items_of(connection, report.number));
  }
  return reports;
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
