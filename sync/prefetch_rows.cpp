#include "sync/prefetch_rows.h"

#include <algorithm>

#include "sync/prefetch_plan.h"
#include "sync/uplink_pauses.h"
#include "sync/urgency.h"
#include "sync/worklist.h"

namespace gateway::sync {

using crypto::Connection;

core::Result<std::vector<Visit>> near_visits(Connection& connection, const core::DicomTime& now,
                                             const core::DicomTime& until) {
  WorklistSelection days;
  days.date_from = now.date;
  days.date_to = until.date;
  std::vector<Visit> visits;
  GW_CHECK(find_worklist(connection, days, [&](const WorklistStep& step) {
    if (is_near(step.start_date, step.start_time, now, until)) {
      visits.push_back(
          {step.service_request_id, "", step.patient_id, step.study_instance_uid, step.modality});
    }
    return true;
  }));
  for (Visit& visit : visits) {
    GW_TRY(auto patient,
           connection.text("SELECT patient FROM worklist_step WHERE service_request = ?",
                           visit.service_request));
    visit.patient = patient.value_or("");
  }
  return visits;
}

core::Result<std::vector<std::string>> visits_to_forget(Connection& connection,
                                                        const std::vector<Visit>& near) {
  GW_TRY(auto rows, connection.query("SELECT service_request, patient FROM prefetch_visit"));
  std::vector<std::string> over;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return over;
    const auto same = std::ranges::find(near, rows.text(0), &Visit::service_request);
    if (same == near.end() || same->patient != rows.text(1)) over.emplace_back(rows.text(0));
  }
}

core::Status forget_visit(Connection& connection, const std::string& service_request) {
  return connection.run("DELETE FROM prefetch_visit WHERE service_request = ?", service_request);
}

core::Result<bool> is_looked_up(Connection& connection, const std::string& service_request) {
  GW_TRY(const auto kept, connection.integer("SELECT 1 FROM prefetch_visit"
                                             " WHERE service_request = ?",
                                             service_request));
  return kept.has_value();
}

core::Status keep_priors(Connection& connection, const Visit& visit,
                         const std::vector<std::string>& study_uids) {
  GW_CHECK(connection.run("INSERT INTO prefetch_visit (service_request, patient) VALUES (?, ?)",
                          visit.service_request, visit.patient));
  std::int64_t place = 0;
  for (const std::string& uid : study_uids) {
    GW_CHECK(connection.run(
        "INSERT INTO prefetch_study (service_request, place, study_uid) VALUES (?, ?, ?)",
        visit.service_request, ++place, uid));
  }
  return {};
}

core::Result<std::vector<std::string>> wanted_priors(Connection& connection,
                                                     const std::string& service_request) {
  GW_TRY(auto rows, connection.query("SELECT study_uid FROM prefetch_study"
                                     " WHERE service_request = ? AND state = 'wanted'"
                                     " ORDER BY place",
                                     service_request));
  std::vector<std::string> wanted;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return wanted;
    wanted.emplace_back(rows.text(0));
  }
}

core::Status end_prior(Connection& connection, const std::string& service_request,
                       const std::string& study_uid, std::string_view state) {
  return connection.run(
      "UPDATE prefetch_study SET state = ? WHERE service_request = ? AND study_uid = ?", state,
      service_request, study_uid);
}

core::Result<std::vector<InstanceName>> not_held(Connection& connection,
                                                 const std::vector<InstanceName>& names) {
  std::vector<InstanceName> missing;
  for (const InstanceName& name : names) {
    GW_TRY(const auto held, connection.integer("SELECT 1 FROM dicom_instance"
                                               " WHERE sop_instance_uid = ? AND state <> 'evicted'",
                                               name.sop_instance_uid));
    if (!held) missing.push_back(name);
  }
  return missing;
}

core::Result<std::uint64_t> fetched_bytes(Connection& connection) {
  GW_TRY(const auto sum, connection.integer("SELECT sum(size) FROM dicom_instance"
                                            " WHERE fetched_from <> '' AND state = 'held'"));
  return static_cast<std::uint64_t>(sum.value_or(0));
}

core::Result<std::vector<std::int64_t>> fetched_rows(Connection& connection,
                                                     const std::string& study_uid) {
  GW_TRY(auto rows, connection.query("SELECT row FROM dicom_instance WHERE study_uid = ?"
                                     " AND fetched_from <> '' AND state = 'held' ORDER BY row",
                                     study_uid));
  std::vector<std::int64_t> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.push_back(rows.integer(0));
  }
}

core::Result<bool> is_wanted_elsewhere(Connection& connection, const std::string& study_uid,
                                       const std::string& service_request) {
  GW_TRY(const auto wanted,
         connection.integer("SELECT 1 FROM prefetch_study WHERE study_uid = ?"
                            " AND service_request <> ? AND state <> 'given_up' LIMIT 1",
                            study_uid, service_request));
  return wanted.has_value();
}

core::Result<std::optional<UnwantedStudy>> next_unwanted(Connection& connection,
                                                         const UnwantedStudy& after) {
  GW_TRY(auto rows,
         connection.query("SELECT s.received_at, s.study_uid FROM (SELECT DISTINCT study_uid"
                          " FROM dicom_instance WHERE fetched_from <> '' AND state = 'held') f"
                          " JOIN dicom_study s ON s.study_uid = f.study_uid WHERE s.pinned = 0"
                          " AND s.identity IN ('linked', 'provisional')"
                          " AND (s.received_at, s.study_uid) > (?, ?)"
                          " AND NOT EXISTS (SELECT 1 FROM prefetch_study p"
                          " WHERE p.study_uid = s.study_uid AND p.state <> 'given_up')"
                          " ORDER BY s.received_at, s.study_uid LIMIT 1",
                          after.received_at, after.study_uid));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<UnwantedStudy>();
  return std::optional(UnwantedStudy{std::string(rows.text(0)), std::string(rows.text(1))});
}

core::Result<bool> is_uplink_taken(Connection& connection, const std::string& uplink) {
  GW_TRY(const auto paused, paused_uplinks(connection));
  if (std::ranges::find(paused, uplink) != paused.end()) return true;
  for (const char* state : {"waiting", "sending"}) {
    GW_TRY(const auto urgent, connection.integer("SELECT 1 FROM outbox WHERE uplink = ?"
                                                 " AND state = ? AND turn < ? LIMIT 1",
                                                 uplink, state, static_cast<int>(Turn::routine)));
    if (urgent) return true;
  }
  return false;
}

}  // namespace gateway::sync
