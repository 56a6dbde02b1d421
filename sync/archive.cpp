#include "sync/archive.h"

#include <limits>

#include "core/text.h"
#include "sync/archive_candidates.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using crypto::Connection;
using crypto::Rows;

constexpr std::string_view kStudyColumns =
    "SELECT s.study_uid, s.accession_number, s.study_id, s.study_date, s.study_time, s.description,"
    " s.referring_physician, s.patient_name, s.patient_id, s.birth_date, s.sex, s.patient,"
    " coalesce((SELECT group_concat(DISTINCT modality) FROM dicom_series e"
    "  WHERE e.study_uid = s.study_uid AND EXISTS (SELECT 1 FROM dicom_instance i"
    "   WHERE i.study_uid = e.study_uid AND i.series_uid = e.series_uid AND i.copy = 0"
    "   AND i.rejection = 0)), ''),"
    " coalesce((SELECT group_concat(DISTINCT sop_class_uid) FROM dicom_instance i"
    "  WHERE i.study_uid = s.study_uid AND i.copy = 0 AND i.rejection = 0), ''),"
    " (SELECT count(DISTINCT series_uid) FROM dicom_instance i WHERE i.study_uid = s.study_uid"
    "  AND i.copy = 0 AND i.rejection = 0),"
    " (SELECT count(*) FROM dicom_instance i WHERE i.study_uid = s.study_uid AND i.copy = 0"
    "  AND i.rejection = 0),"
    " (SELECT count(*) FROM dicom_instance i WHERE i.study_uid = s.study_uid AND i.copy = 0"
    "  AND i.rejection = 0 AND i.state = 'held')"
    " FROM dicom_study s WHERE NOT EXISTS (SELECT 1 FROM performed_step p"
    "  WHERE p.study_uid = s.study_uid AND p.wrong_entry = 1)"
    " AND EXISTS (SELECT 1 FROM dicom_instance i WHERE i.study_uid = s.study_uid AND i.copy = 0"
    "  AND i.rejection = 0)";
// Of candidates: no patient has that many studies.
constexpr std::size_t kNoBound = std::numeric_limits<std::int32_t>::max();
// The filter is in each statement, so that an index is used where there is one.
constexpr std::string_view kByUid = " AND s.study_uid = ?1 AND s.study_uid > ?2 LIMIT ?3";
constexpr std::string_view kByAccession =
    " AND s.accession_number = ?1 AND s.study_uid > ?2 ORDER BY s.study_uid LIMIT ?3";
constexpr std::string_view kAll = " AND ?1 = '' AND s.study_uid > ?2 ORDER BY s.study_uid LIMIT ?3";

constexpr std::string_view kInstanceColumns =
    "SELECT i.row, i.study_uid, i.series_uid, i.sop_instance_uid, i.sop_class_uid,"
    " i.transfer_syntax_uid, i.instance_number, i.number_of_frames, i.object_id,"
    " i.data_set_offset, i.size, i.state FROM dicom_instance i";

// SQLite joins with commas, which neither UIDs nor modalities hold.
std::string multi_valued(std::string_view joined) {
  std::string values(joined);
  for (char& c : values) {
    if (c == ',') c = '\\';
  }
  return values;
}

ArchiveStudy study_of(const Rows& rows) {
  const auto text = [&](int column) { return std::string(rows.text(column)); };
  ArchiveStudy study;
  study.study_uid = text(0);
  study.accession_number = text(1);
  study.study_id = text(2);
  study.study_date = text(3);
  study.study_time = text(4);
  study.description = text(5);
  study.referring_physician = text(6);
  study.patient = {text(7), text(8), text(9), text(10)};
  study.linked_patient = text(11);
  study.modalities = multi_valued(rows.text(12));
  study.sop_classes = multi_valued(rows.text(13));
  study.series = rows.integer(14);
  study.instances = rows.integer(15);
  study.held = rows.integer(16);
  return study;
}

ArchiveInstance instance_of(const Rows& rows) {
  const auto text = [&](int column) { return std::string(rows.text(column)); };
  ArchiveInstance instance;
  instance.row = rows.integer(0);
  instance.study_uid = text(1);
  instance.series_uid = text(2);
  instance.sop_instance_uid = text(3);
  instance.sop_class_uid = text(4);
  instance.transfer_syntax_uid = text(5);
  instance.instance_number = text(6);
  instance.number_of_frames = text(7);
  instance.object_id = text(8);
  instance.data_set_offset = static_cast<std::uint64_t>(rows.integer(9));
  instance.data_set_bytes = static_cast<std::uint64_t>(rows.integer(10)) - instance.data_set_offset;
  instance.is_held = rows.text(11) == "held";
  return instance;
}

core::Result<std::vector<ArchiveInstance>> instances_of(Rows& rows) {
  std::vector<ArchiveInstance> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.push_back(instance_of(rows));
  }
}

/// `which`: of dicom_instance.rejection.
core::Result<ArchiveInstance> instance_at(Connection& connection, std::int64_t row,
                                          std::string_view which) {
  GW_TRY(auto rows,
         connection.query(core::cat(kInstanceColumns, " WHERE i.row = ? AND i.rejection ", which),
                          row));
  GW_TRY(const bool found, rows.next());
  if (!found) return Error(Code::not_found, "the instance has gone");
  return instance_of(rows);
}

/// Rows of one statement into the list, of studies that are not held back. Code::invalid beyond
/// `most`.
core::Status gather(Connection& connection, std::string_view where, const std::string& first,
                    const std::string& second, std::size_t most,
                    std::vector<WishedInstance>& list) {
  GW_TRY(auto rows,
         connection.query(
             core::cat("SELECT i.row, i.sop_instance_uid, i.sop_class_uid, i.transfer_syntax_uid,"
                       " i.study_uid, i.state"
                       " FROM dicom_instance i WHERE i.copy = 0 AND i.rejection = 0"
                       " AND NOT EXISTS (SELECT 1 FROM"
                       " performed_step p WHERE p.study_uid = i.study_uid AND p.wrong_entry = 1)"
                       " AND ",
                       where, " ORDER BY i.row"),
             first, second));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return {};
    if (list.size() == most)
      return Error(Code::invalid, core::cat("more than ", most, " objects: ask for fewer"));
    list.push_back({rows.integer(0),
                    std::string(rows.text(1)),
                    {std::string(rows.text(2)), std::string(rows.text(3))},
                    std::string(rows.text(4)),
                    rows.text(5) == "held"});
  }
}

core::Result<std::vector<std::string>> studies_of_patient(Connection& connection,
                                                          const std::string& patient_id,
                                                          std::string_view own_issuer) {
  std::vector<std::string> uids;
  GW_TRY(const auto candidates,
         archive_candidates(connection, {.patient_id = patient_id}, kNoBound));
  for (const std::string& candidate : candidates.value_or(std::vector<std::string>())) {
    GW_TRY(const auto studies, archive_studies(connection, {candidate, ""}, "", 1, own_issuer));
    for (const ArchiveStudy& study : studies) {
      if (study.patient.id == patient_id) uids.push_back(study.study_uid);
    }
  }
  return uids;
}

}  // namespace

core::Result<std::vector<ArchiveStudy>> archive_studies(Connection& connection,
                                                        const ArchiveSelection& selection,
                                                        const std::string& after, int limit,
                                                        std::string_view own_issuer) {
  const bool by_uid = !selection.study_uid.empty();
  const bool by_accession = !by_uid && !selection.accession_number.empty();
  std::vector<ArchiveStudy> studies;
  {
    GW_TRY(auto rows, connection.query(core::cat(kStudyColumns, by_uid         ? kByUid
                                                                : by_accession ? kByAccession
                                                                               : kAll),
                                       by_uid         ? selection.study_uid
                                       : by_accession ? selection.accession_number
                                                      : std::string(),
                                       after, limit));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      studies.push_back(study_of(rows));
    }
  }
  for (ArchiveStudy& study : studies) {
    GW_TRY(study.patient,
           shown_patient(connection, std::move(study.patient), study.linked_patient, own_issuer));
  }
  return studies;
}

core::Result<std::vector<ArchiveSeries>> archive_series(Connection& connection,
                                                        const std::string& study_uid) {
  GW_TRY(auto rows,
         connection.query(
             "SELECT e.series_uid, e.modality, e.number, e.description, e.body_part, e.series_date,"
             " e.series_time,"
             " (SELECT count(*) FROM dicom_instance i WHERE i.study_uid = e.study_uid"
             "  AND i.series_uid = e.series_uid AND i.copy = 0 AND i.rejection = 0) AS standing,"
             " (SELECT count(*) FROM dicom_instance i WHERE i.study_uid = e.study_uid"
             "  AND i.series_uid = e.series_uid AND i.copy = 0 AND i.rejection = 0"
             "  AND i.state = 'held')"
             " FROM dicom_series e WHERE e.study_uid = ? AND standing > 0 ORDER BY e.series_uid",
             study_uid));
  std::vector<ArchiveSeries> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    const auto text = [&](int column) { return std::string(rows.text(column)); };
    list.push_back({text(0), text(1), text(2), text(3), text(4), text(5), text(6), rows.integer(7),
                    rows.integer(8)});
  }
}

core::Result<std::vector<ArchiveInstance>> archive_instances(Connection& connection,
                                                             const std::string& study_uid,
                                                             const std::string& series_uid,
                                                             std::int64_t after, int limit) {
  GW_TRY(auto rows,
         connection.query(core::cat(kInstanceColumns,
                                    " WHERE i.study_uid = ? AND i.series_uid = ? AND i.copy = 0"
                                    " AND i.rejection = 0 AND i.row > ? ORDER BY i.row LIMIT ?"),
                          study_uid, series_uid, after, limit));
  return instances_of(rows);
}

core::Result<std::vector<ArchiveInstance>> archive_study_instances(Connection& connection,
                                                                   const std::string& study_uid,
                                                                   std::int64_t after, int limit) {
  GW_TRY(auto rows, connection.query(core::cat(kInstanceColumns,
                                               " WHERE i.study_uid = ? AND i.copy = 0"
                                               " AND i.rejection = 0 AND i.row > ?"
                                               " ORDER BY i.row LIMIT ?"),
                                     study_uid, after, limit));
  return instances_of(rows);
}

core::Result<std::vector<WishedInstance>> wished_instances(Connection& connection,
                                                           const ArchiveWish& wish,
                                                           std::size_t most,
                                                           std::string_view own_issuer) {
  std::vector<WishedInstance> list;
  const auto take = [&](std::string_view where, const std::string& first,
                        const std::string& second) {
    return gather(connection, where, first, second, most, list);
  };
  if (!wish.sop_instance_uids.empty()) {
    for (const std::string& uid : wish.sop_instance_uids)
      GW_CHECK(take("i.sop_instance_uid = ?1 AND ?2 = ''", uid, ""));
    return list;
  }
  if (!wish.series_uids.empty()) {
    for (const std::string& series : wish.series_uids) {
      if (wish.study_uids.empty()) {
        GW_CHECK(
            take("i.study_uid IN (SELECT study_uid FROM dicom_series WHERE series_uid = ?2)"
                 " AND i.series_uid = ?2 AND ?1 = ''",
                 "", series));
      }
      for (const std::string& study : wish.study_uids)
        GW_CHECK(take("i.study_uid = ?1 AND i.series_uid = ?2", study, series));
    }
    return list;
  }
  std::vector<std::string> studies = wish.study_uids;
  if (studies.empty() && !wish.patient_id.empty()) {
    GW_TRY(studies, studies_of_patient(connection, wish.patient_id, own_issuer));
  }
  for (const std::string& study : studies)
    GW_CHECK(take("i.study_uid = ?1 AND ?2 = ''", study, ""));
  return list;
}

core::Result<RetrievedInstance> retrieved_instance(Connection& connection, std::int64_t row,
                                                   std::string_view own_issuer) {
  RetrievedInstance retrieved;
  GW_TRY(retrieved.instance, instance_at(connection, row, "= 0"));
  GW_TRY(auto studies,
         archive_studies(connection, {retrieved.instance.study_uid, ""}, "", 1, own_issuer));
  if (studies.empty()) return Error(Code::not_found, "the study is held back");
  retrieved.patient = std::move(studies.front().patient);
  return retrieved;
}

core::Result<RetrievedInstance> outgoing_instance(Connection& connection, std::int64_t row,
                                                  std::string_view own_issuer) {
  RetrievedInstance outgoing;
  GW_TRY(outgoing.instance, instance_at(connection, row, "<> 1"));  // a note goes
  std::string linked;
  {
    GW_TRY(auto rows, connection.query("SELECT patient_name, patient_id, birth_date, sex, patient"
                                       " FROM dicom_study WHERE study_uid = ?",
                                       outgoing.instance.study_uid));
    GW_TRY(const bool found, rows.next());
    if (!found) return Error(Code::not_found, "the study has gone");
    const auto text = [&](int column) { return std::string(rows.text(column)); };
    outgoing.patient = {text(0), text(1), text(2), text(3)};
    linked = text(4);
  }
  GW_TRY(outgoing.patient,
         shown_patient(connection, std::move(outgoing.patient), linked, own_issuer));
  return outgoing;
}

core::Result<std::vector<ArchiveSyntax>> usual_syntaxes(Connection& connection) {
  GW_TRY(auto rows,
         connection.query("SELECT sop_class_uid, transfer_syntax_uid FROM"
                          " (SELECT sop_class_uid, transfer_syntax_uid FROM dicom_instance"
                          "  ORDER BY row DESC LIMIT 2000)"
                          " GROUP BY sop_class_uid, transfer_syntax_uid ORDER BY count(*) DESC"));
  std::vector<ArchiveSyntax> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.push_back({std::string(rows.text(0)), std::string(rows.text(1))});
  }
}

}  // namespace gateway::sync
