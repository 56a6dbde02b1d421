#include "sync/rejection.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "sync/holdings.h"
#include "sync/outbox.h"
#include "sync/patient_trail.h"
#include "sync/routes.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using crypto::Connection;

constexpr std::array<RejectionReason, 4> kReasons{
    {{"quality", "113001", "Rejected for Quality Reasons"},
     {"wrong-patient", "113037", "Rejected for Patient Safety Reasons"},
     {"wrong-entry", "113038", "Incorrect Modality Worklist Entry"},
     {"expired", "113039", "Data Retention Policy Expired"}}};

constexpr std::int64_t kWithdrawn = 1;
constexpr std::int64_t kNote = 2;

core::Result<InstanceFacts> facts_of_study(Connection& connection, const std::string& study_uid) {
  GW_TRY(auto rows,
         connection.query("SELECT patient_id, patient_name, birth_date, sex, accession_number,"
                          " study_id, study_date, study_time, referring_physician,"
                          " description FROM dicom_study WHERE study_uid = ?",
                          study_uid));
  GW_TRY(const bool found, rows.next());
  if (!found)
    return Error(Code::not_found,
                 "no study of that UID is held here; see clinic-gateway --json studies");
  const auto text = [&](int column) { return std::string(rows.text(column)); };
  InstanceFacts facts;
  facts.study_instance_uid = study_uid;
  facts.patient_id = text(0);
  facts.patient_name = text(1);
  facts.birth_date = text(2);
  facts.sex = text(3);
  facts.accession_number = text(4);
  facts.study_id = text(5);
  facts.study_date = text(6);
  facts.study_time = text(7);
  facts.referring_physician = text(8);
  facts.study_description = text(9);
  return facts;
}

core::Result<std::vector<RejectedImages::Image>> standing_images(Connection& connection,
                                                                 const std::string& study_uid,
                                                                 const std::string& series_uid) {
  GW_TRY(auto rows,
         connection.query("SELECT series_uid, sop_class_uid, sop_instance_uid FROM dicom_instance"
                          " WHERE study_uid = ?1 AND (?2 = '' OR series_uid = ?2) AND copy = 0"
                          " AND rejection = 0 ORDER BY series_uid, row",
                          study_uid, series_uid));
  std::vector<RejectedImages::Image> images;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return images;
    if (images.size() == kRejectedMax)
      return Error(Code::invalid,
                   core::cat("more than ", kRejectedMax, " images: withdraw them by series"));
    images.push_back(
        {std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.text(2))});
  }
}

struct Withdrawn {
  std::int64_t row = 0;
  std::uint64_t bytes = 0;
  bool is_evicted = false;
};
core::Result<std::vector<Withdrawn>> withdrawn_rows(Connection& connection,
                                                    const std::string& study_uid) {
  GW_TRY(auto rows, connection.query("SELECT row, size, state = 'evicted' FROM dicom_instance"
                                     " WHERE study_uid = ? AND rejection = ? ORDER BY row",
                                     study_uid, kWithdrawn));
  std::vector<Withdrawn> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.push_back(
        {rows.integer(0), static_cast<std::uint64_t>(rows.integer(1)), rows.integer(2) != 0});
  }
}

/// Not what a PACS has: a withdrawn image that was delivered is there, hidden by the note.
core::Status queue_again(Connection& connection, const Withdrawn& image,
                         const std::vector<std::string>& uplinks, const std::string& now) {
  GW_TRY(const auto wanted, uplinks_of_instance(connection, image.row, uplinks));
  for (const std::string& uplink : wanted) {
    GW_TRY(const auto is_there,
           connection.integer("SELECT 1 FROM dicom_delivery WHERE instance = ?1 AND uplink = ?2"
                              " UNION ALL SELECT 1 FROM outbox WHERE uplink = ?2"
                              " AND kind = 'instance' AND subject = CAST(?1 AS TEXT) LIMIT 1",
                              image.row, uplink));
    if (is_there || image.is_evicted) continue;
    GW_CHECK(queue_row(connection, uplink, "instance", std::to_string(image.row), image.bytes,
                       std::nullopt, now));
  }
  return {};
}

}  // namespace

const RejectionReason* find_rejection_reason(std::string_view word_or_code) {
  const auto found = std::ranges::find_if(kReasons, [&](const RejectionReason& one) {
    return one.word == word_or_code || one.code == word_or_code;
  });
  return found == kReasons.end() ? nullptr : &*found;
}

core::Result<std::int64_t> apply_rejection(Connection& connection, const RejectionNote& note,
                                           const ReceivedInstance& instance, std::int64_t row,
                                           const std::string& now) {
  const std::string& study_uid = instance.facts.study_instance_uid;
  GW_CHECK(connection.run("UPDATE dicom_instance SET rejection = ? WHERE row = ?", kNote, row));
  for (const std::string& uid : note.sop_instance_uids) {
    GW_CHECK(connection.run(
        "INSERT OR IGNORE INTO rejected_instance (study_uid, sop_instance_uid, reason, note_uid,"
        " rejected_at) VALUES (?, ?, ?, ?, ?)",
        study_uid, uid, note.reason, instance.facts.sop_instance_uid, now));
  }
  GW_CHECK(connection.run(
      "UPDATE dicom_instance SET rejection = ?2 WHERE study_uid = ?1 AND rejection = 0 AND"
      " sop_instance_uid IN (SELECT sop_instance_uid FROM rejected_instance WHERE study_uid = ?1)",
      study_uid, kWithdrawn));
  const std::int64_t withdrawn = connection.changes();
  // What is being sent now is looked at once more before it goes again.
  GW_CHECK(
      connection.run("DELETE FROM outbox WHERE kind = 'instance' AND state <> 'sending'"
                     " AND subject IN (SELECT CAST(row AS TEXT) FROM dicom_instance"
                     "  WHERE study_uid = ? AND rejection = ?)",
                     study_uid, kWithdrawn));
  return withdrawn;
}

core::Result<bool> mark_if_rejected(Connection& connection, const InstanceFacts& facts,
                                    std::int64_t row) {
  GW_TRY(const auto rejected,
         connection.integer("SELECT 1 FROM rejected_instance WHERE study_uid = ?"
                            " AND sop_instance_uid = ?",
                            facts.study_instance_uid, facts.sop_instance_uid));
  if (!rejected) return false;
  GW_CHECK(
      connection.run("UPDATE dicom_instance SET rejection = ? WHERE row = ?", kWithdrawn, row));
  return true;
}

core::Result<RejectedImages> images_to_reject(Holdings& holdings, const std::string& study_uid,
                                              const std::string& series_uid,
                                              const std::vector<std::string>& sop_instance_uids) {
  RejectedImages rejected;
  const auto look = [&](Connection& connection) -> core::Status {
    GW_TRY(rejected.study, facts_of_study(connection, study_uid));
    GW_TRY(rejected.images, standing_images(connection, study_uid, series_uid));
    return {};
  };
  GW_CHECK(holdings.database().read(look));
  if (!sop_instance_uids.empty()) {
    std::vector<RejectedImages::Image> named;
    for (const std::string& uid : sop_instance_uids) {
      const auto image =
          std::ranges::find(rejected.images, uid, &RejectedImages::Image::sop_instance_uid);
      if (image == rejected.images.end())
        return Error(Code::not_found, core::cat("no image ", uid, " of that study stands here"));
      named.push_back(*image);
    }
    rejected.images = std::move(named);
  }
  if (rejected.images.empty())
    return Error(Code::not_found, "nothing of it stands here: it was withdrawn before");
  return rejected;
}

core::Result<std::int64_t> restore_rejected(Holdings& holdings, const core::Clock& clock,
                                            const std::string& study_uid) {
  std::int64_t restored = 0;
  const IngestOptions& options = holdings.options().ingest;
  const auto show = [&](Connection& connection) -> core::Status {
    GW_TRY(const TrailedStudy study, trail_study(connection, study_uid));
    GW_TRY(const auto rows, withdrawn_rows(connection, study_uid));
    if (rows.empty()) return Error(Code::not_found, "nothing of that study is withdrawn");
    restored = std::ssize(rows);
    const std::string now = core::to_instant(clock.wall());
    GW_CHECK(connection.run("DELETE FROM rejected_instance WHERE study_uid = ?", study_uid));
    GW_CHECK(connection.run(
        "UPDATE dicom_instance SET rejection = 0 WHERE study_uid = ? AND rejection = ?", study_uid,
        kWithdrawn));
    for (const Withdrawn& image : rows)
      GW_CHECK(queue_again(connection, image, options.image_uplinks, now));
    for (const std::string& uplink : options.fhir_uplinks)
      GW_CHECK(queue_row(connection, uplink, "resource", study.resource, 0, std::nullopt, now));
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = "operator",
                                                .action = "restore",
                                                .resource = study.resource,
                                                .patient = study.patient,
                                                .source = "local",
                                                .outcome = core::cat(restored, " images")});
  };
  GW_CHECK(holdings.database().write(show));
  return restored;
}

}  // namespace gateway::sync
