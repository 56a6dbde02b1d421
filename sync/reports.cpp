#include "sync/reports.h"

#include <map>
#include <optional>
#include <tuple>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/critical_results.h"
#include "sync/damage.h"
#include "sync/performed_step.h"
#include "sync/refusal_class.h"
#include "sync/worklist.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

Json age_s(std::string_view since, std::string_view now) {
  const auto from = core::parse_instant(since);
  const auto to = core::parse_instant(now);
  if (!from || !to) return {};
  // A clock set back must not show as a negative age.
  return static_cast<std::int64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::seconds>(*to - *from).count()));
}

/// Null when no modality told anything of the study.
core::Result<Json> told_by_modality(Connection& connection, std::string_view study_uid) {
  GW_TRY(const StepProgress progress, step_progress(connection, study_uid));
  if (progress.steps == 0) return Json();
  return Json::object({{"running", progress.is_running},
                       {"listed", progress.listed},
                       {"held", progress.held},
                       {"complete", !progress.is_running && progress.listed > 0 &&
                                        progress.held == progress.listed}});
}

/// What the hospital sent and what it belongs to has not come.
core::Result<Json> inbox_counts(Connection& connection, const std::string& now_instant) {
  GW_TRY(auto rows, connection.query("SELECT count(*), min(at) FROM inbox"));
  GW_TRY(const bool found, rows.next());
  if (!found) return Json::object({{"waiting", 0}, {"oldest_age_s", Json()}});
  return Json::object({{"waiting", rows.integer(0)},
                       {"oldest_age_s", age_s(std::string(rows.text(1)), now_instant)}});
}

}  // namespace

core::Result<Json> health_report(Connection& connection, const std::string& now_instant) {
  GW_TRY(auto rows,
         connection.query(
             "SELECT o.uplink, sum(o.state <> 'parked'), sum(o.state = 'parked'), "
             "min(o.queued_at), s.at"
             " FROM outbox o LEFT JOIN uplink_success s ON s.uplink = o.uplink GROUP BY o.uplink"
             " UNION ALL SELECT uplink, 0, 0, NULL, at FROM uplink_success"
             " WHERE uplink NOT IN (SELECT uplink FROM outbox) ORDER BY 1"));
  Json by_uplink = Json::array();
  std::int64_t waiting = 0;
  std::int64_t parked = 0;
  std::string oldest;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    waiting += rows.integer(1);
    parked += rows.integer(2);
    const std::string since(rows.text(3));
    if (!since.empty() && (oldest.empty() || since < oldest)) oldest = since;
    by_uplink.add(Json::object({{"uplink", rows.text(0)},
                                {"waiting", rows.integer(1)},
                                {"parked", rows.integer(2)},
                                {"oldest_age_s", age_s(since, now_instant)},
                                {"last_success", rows.is_null(4) ? Json() : Json(rows.text(4))}}));
  }
  GW_TRY(Json inbox, inbox_counts(connection, now_instant));
  GW_TRY(const auto letters,
         connection.integer("SELECT count(*) FROM message WHERE state <> 'stored'"));
  GW_TRY(const std::int64_t criticals, count_criticals(connection));
  return Json::object({{"waiting", waiting},
                       {"parked", parked},
                       {"letters", letters.value_or(0)},
                       {"criticals", criticals},
                       {"inbox", std::move(inbox)},
                       {"oldest_age_s", age_s(oldest, now_instant)},
                       {"by_uplink", std::move(by_uplink)}});
}

core::Result<Json> queue_report(Connection& connection, std::int64_t limit) {
  GW_TRY(auto rows,
         connection.query(
             "SELECT number, uplink, kind, subject, state, attempts, queued_at, reason FROM outbox"
             " ORDER BY state <> 'parked', number LIMIT ?",
             limit));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.add(Json::object({{"number", rows.integer(0)},
                           {"uplink", rows.text(1)},
                           {"kind", rows.text(2)},
                           {"subject", rows.text(3)},
                           {"state", rows.text(4)},
                           {"attempts", rows.integer(5)},
                           {"queued_at", rows.text(6)},
                           {"reason", rows.text(7)}}));
  }
}

core::Result<Json> queue_classes(Connection& connection) {
  GW_TRY(auto rows, connection.query("SELECT uplink, kind, state, reason, count(*) FROM outbox"
                                     " GROUP BY uplink, kind, state, reason"));
  using Class = std::tuple<std::string, std::string, std::string, std::string>;
  std::map<Class, std::int64_t> classes;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    const std::string_view reason = rows.text(3);
    classes[{std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.text(2)),
             reason.empty() ? "" : refusal_class(reason)}] += rows.integer(4);
  }
  Json list = Json::array();
  for (const auto& [key, items] : classes) {
    const auto& [uplink, kind, state, why] = key;
    list.add(Json::object({{"uplink", uplink},
                           {"kind", kind},
                           {"state", state},
                           {"why", why.empty() ? Json() : Json(why)},
                           {"items", items}}));
  }
  return list;
}

core::Result<Json> studies_report(Connection& connection, std::int64_t limit) {
  // Delivered: an uplink has confirmed the instance, and none that it was queued for is left. A
  // PACS that gave other bytes back, or nothing, confirms nothing.
  GW_TRY(auto rows,
         connection.query(
             "WITH queued AS MATERIALIZED (SELECT CAST(subject AS INTEGER) AS instance,"
             " max(state <> 'parked') AS waiting, max(state = 'parked') AS parked"
             " FROM outbox WHERE kind = 'instance' GROUP BY 1)"
             " SELECT s.study_uid, s.patient_name, s.patient_id, s.accession_number, s.study_date, "
             "s.description, s.identity,"
             " s.identity_reason,"
             " (SELECT group_concat(DISTINCT modality) FROM dicom_series e WHERE e.study_uid = "
             "s.study_uid),"
             " (SELECT count(*) FROM dicom_series e WHERE e.study_uid = s.study_uid),"
             " count(*), sum(q.instance IS NULL AND EXISTS (SELECT 1 FROM dicom_delivery d"
             " WHERE d.instance = i.row AND d.proof NOT IN ('differs', 'missing'))),"
             " coalesce(sum(q.waiting), 0), coalesce(sum(q.parked), 0),"
             " sum(i.state = 'evicted'), s.pinned,"
             " sum(i.fetched_from <> '' AND i.state <> 'evicted'), sum(i.rejection = 1)"
             " FROM (SELECT * FROM dicom_study ORDER BY received_at DESC LIMIT ?) s"
             " JOIN dicom_instance i ON i.study_uid = s.study_uid"
             " LEFT JOIN queued q ON q.instance = i.row"
             " GROUP BY s.study_uid ORDER BY s.received_at DESC",
             limit));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    GW_TRY(Json told, told_by_modality(connection, rows.text(0)));
    list.add(Json::object({{"study_uid", rows.text(0)},
                           {"patient_name", rows.text(1)},
                           {"patient_id", rows.text(2)},
                           {"accession", rows.text(3)},
                           {"date", rows.text(4)},
                           {"description", rows.text(5)},
                           {"identity", rows.text(6)},
                           {"identity_reason", rows.text(7)},
                           {"modalities", rows.text(8)},
                           {"series", rows.integer(9)},
                           {"instances", rows.integer(10)},
                           {"delivered", rows.integer(11)},
                           {"waiting", rows.integer(12)},
                           {"parked", rows.integer(13)},
                           {"evicted", rows.integer(14)},
                           {"fetched", rows.integer(16)},
                           {"withdrawn", rows.integer(17)},
                           {"pinned", rows.integer(15) != 0},
                           {"performed", std::move(told)}}));
  }
}

core::Result<Json> worklist_report(Connection& connection, const std::string& date_from,
                                   std::int64_t limit) {
  Json list = Json::array();
  const auto take = [&](const WorklistStep& step) {
    list.add(Json::object({{"patient_name", step.patient_name},
                           {"patient_id", step.patient_id},
                           {"birth_date", step.birth_date},
                           {"start_date", step.start_date},
                           {"start_time", step.start_time},
                           {"modality", step.modality},
                           {"station", step.station_ae_title},
                           {"description", step.procedure_description},
                           {"accession", step.accession_number},
                           {"priority", step.priority},
                           {"status", step.status}}));
    return static_cast<std::int64_t>(list.size()) < limit;
  };
  WorklistSelection selection;
  selection.date_from = date_from;
  GW_CHECK(find_worklist(connection, selection, take));
  return list;
}

core::Result<Json> storage_report(Connection& connection, std::int64_t limit) {
  GW_TRY(Json damaged, damage_report(connection, limit));
  GW_TRY(auto rows,
         connection.query("SELECT i.sop_instance_uid, i.study_uid, d.uplink, d.proof, d.at"
                          " FROM dicom_delivery d JOIN dicom_instance i ON i.row = d.instance"
                          " WHERE d.proof IN ('differs', 'missing') ORDER BY d.instance LIMIT ?",
                          limit));
  Json unconfirmed = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    unconfirmed.add(Json::object({{"sop_instance_uid", rows.text(0)},
                                  {"study_uid", rows.text(1)},
                                  {"uplink", rows.text(2)},
                                  {"proof", rows.text(3)},
                                  {"at", rows.text(4)}}));
  }
  return Json::object({{"damaged", std::move(damaged)}, {"unconfirmed", std::move(unconfirmed)}});
}

core::Result<std::int64_t> retry_parked(Connection& connection, std::int64_t number) {
  // What was refused may have been changed since: look before it goes again.
  GW_CHECK(connection.run(
      "UPDATE outbox SET state = 'waiting', perhaps_sent = 1, attempts = 0, reason = ''"
      " WHERE state = 'parked' AND (?1 = 0 OR number = ?1)",
      number));
  return connection.changes();
}

}  // namespace gateway::sync
