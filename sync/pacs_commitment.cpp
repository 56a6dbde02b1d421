#include "sync/pacs_commitment.h"

#include <optional>
#include <set>

#include "core/ids.h"
#include "core/text.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using crypto::Connection;

constexpr std::uint16_t kNoSuchObject = 0x0112;

// The words of the index's condition, so that it is used.
constexpr std::string_view kUnproven =
    " FROM dicom_delivery d INDEXED BY dicom_delivery_unproven CROSS JOIN dicom_instance i"
    " ON i.row = d.instance WHERE d.uplink = ? AND d.proof IN ('stored', 'present', 'missing')";
constexpr std::string_view kAskedBefore = " AND d.asked_at < ?";
constexpr std::string_view kAskedAfter = " AND d.asked_at > ?";

struct Uncommitted {
  std::int64_t row = 0;
  CommitmentItem item;
};

core::Status add_uncommitted(Connection& connection, const std::string& uplink,
                             std::string_view asked, const std::string& when, std::size_t most,
                             std::vector<Uncommitted>& list) {
  GW_TRY(auto rows, connection.query(core::cat("SELECT i.row, i.sop_class_uid, i.sop_instance_uid",
                                               kUnproven, asked, " ORDER BY d.asked_at LIMIT ?"),
                                     uplink, when, static_cast<std::int64_t>(most - list.size())));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return {};
    list.push_back({rows.integer(0), {std::string(rows.text(1)), std::string(rows.text(2))}});
  }
}

struct OpenTransaction {
  std::int64_t number = 0;
  std::string uplink;
};

core::Result<std::optional<OpenTransaction>> find(Connection& connection,
                                                  const std::string& transaction_uid) {
  GW_TRY(auto rows,
         connection.query("SELECT number, uplink FROM pacs_commitment WHERE transaction_uid = ?",
                          transaction_uid));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<OpenTransaction>();
  return std::optional(OpenTransaction{rows.integer(0), std::string(rows.text(1))});
}

/// Answers whether something was noted.
core::Result<bool> note(Connection& connection, const OpenTransaction& of,
                        const std::string& sop_instance_uid, std::string_view proof,
                        const std::string& now) {
  GW_TRY(const auto row,
         connection.integer("SELECT i.row FROM dicom_instance i CROSS JOIN pacs_commitment_item t"
                            " ON t.commitment = ? AND t.instance = i.row"
                            " WHERE i.sop_instance_uid = ?2 AND NOT EXISTS (SELECT 1 FROM"
                            " dicom_instance o WHERE o.sop_instance_uid = ?2 AND o.row <> i.row)",
                            of.number, sop_instance_uid));
  if (!row) return false;
  GW_CHECK(
      connection.run("UPDATE dicom_delivery SET proof = ?, at = ? WHERE instance = ?"
                     " AND uplink = ? AND proof IN ('stored', 'present', 'missing')",
                     proof, now, *row, of.uplink));
  return connection.changes() > 0;
}

}  // namespace

core::Result<bool> has_uncommitted(Connection& connection, const std::string& uplink,
                                   const AskingTimes& times) {
  const auto any = [&](std::string_view asked, const std::string& when) {
    return connection.integer(core::cat("SELECT 1", kUnproven, asked, " LIMIT 1"), uplink, when);
  };
  GW_TRY(const auto due, any(kAskedBefore, times.asked_before));
  if (due) return true;
  GW_TRY(const auto early, any(kAskedAfter, times.now));
  return early.has_value();
}

core::Result<bool> was_delivered(Connection& connection, std::int64_t instance,
                                 const std::string& uplink) {
  GW_TRY(const auto row,
         connection.integer("SELECT 1 FROM dicom_delivery WHERE instance = ? AND uplink = ?",
                            instance, uplink));
  return row.has_value();
}

core::Result<PacsCommitment> begin_pacs_commitment(Connection& connection,
                                                   const std::string& uplink,
                                                   const AskingTimes& times, std::int64_t most) {
  GW_CHECK(connection.run(
      "DELETE FROM pacs_commitment WHERE uplink = ? AND (asked_at < ? OR asked_at > ?)", uplink,
      times.forget_before, times.now));
  PacsCommitment commitment;
  std::vector<Uncommitted> instances;
  const auto limit = static_cast<std::size_t>(most);
  GW_CHECK(add_uncommitted(connection, uplink, kAskedBefore, times.asked_before, limit, instances));
  GW_CHECK(add_uncommitted(connection, uplink, kAskedAfter, times.now, limit, instances));
  if (instances.empty()) return commitment;
  commitment.transaction_uid = core::uid_from_uuid(core::new_uuid());
  GW_CHECK(connection.run(
      "INSERT INTO pacs_commitment (transaction_uid, uplink, asked_at) VALUES (?, ?, ?)",
      commitment.transaction_uid, uplink, times.now));
  const std::int64_t number = connection.last_row();
  std::set<std::string> named;
  for (const Uncommitted& instance : instances) {
    GW_CHECK(connection.run("INSERT INTO pacs_commitment_item (commitment, instance) VALUES (?, ?)",
                            number, instance.row));
    GW_CHECK(
        connection.run("UPDATE dicom_delivery SET asked_at = ? WHERE instance = ? AND uplink = ?",
                       times.now, instance.row, uplink));
    if (named.insert(instance.item.sop_instance_uid).second)
      commitment.items.push_back(instance.item);
  }
  return commitment;
}

core::Status ask_again(Connection& connection, const std::string& transaction_uid,
                       const std::string& asked_at, bool has_heard) {
  GW_TRY(const auto open, find(connection, transaction_uid));
  if (!open) return {};
  GW_CHECK(
      connection.run("UPDATE dicom_delivery SET asked_at = ? WHERE uplink = ? AND instance IN"
                     " (SELECT instance FROM pacs_commitment_item WHERE commitment = ?)",
                     asked_at, open->uplink, open->number));
  if (has_heard) return {};
  return forget_pacs_commitment(connection, transaction_uid);
}

core::Status forget_pacs_commitment(Connection& connection, const std::string& transaction_uid) {
  return connection.run("DELETE FROM pacs_commitment WHERE transaction_uid = ?", transaction_uid);
}

core::Result<PacsVerdict> record_pacs_report(
    Connection& connection, const PacsReport& report,
    const std::function<bool(const std::string& uplink)>& may_tell, const std::string& now) {
  GW_TRY(const auto open, find(connection, report.transaction_uid));
  if (!open) return Error(Code::not_found, "no storage commitment waits for this report");
  if (!may_tell(open->uplink))
    return Error(Code::refused, core::cat("it is not the PACS of uplink ", open->uplink));
  PacsVerdict verdict;
  verdict.uplink = open->uplink;
  for (const std::string& uid : report.committed) {
    GW_TRY(const bool noted, note(connection, *open, uid, "committed", now));
    if (noted) ++verdict.committed;
  }
  for (const PacsReport::Failure& failure : report.failed) {
    if (failure.reason != kNoSuchObject) continue;
    GW_TRY(const bool noted, note(connection, *open, failure.sop_instance_uid, "missing", now));
    if (noted) ++verdict.missing;
  }
  GW_CHECK(forget_pacs_commitment(connection, report.transaction_uid));
  return verdict;
}

}  // namespace gateway::sync
