#include "sync/performed_step.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "core/text.h"
#include "sync/fhir/procedure.h"
#include "sync/identity.h"
#include "sync/imaging.h"
#include "sync/outbox.h"
#include "sync/replica.h"
#include "sync/stable_id.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr std::string_view kInProgress = "IN PROGRESS";
// PS3.16 CID 9300 "Procedure Discontinuation Reasons".
constexpr std::string_view kWrongEntry = "110514";
constexpr std::string_view kWrongEntryHold =
    "the modality ended the step because the wrong worklist entry was chosen: check whose images "
    "these are, then retry or delete them";

struct KnownStep {
  std::string state;
  std::string procedure_id;
  Json body;
  std::string remarks;
};

core::Result<std::optional<KnownStep>> find_step(Connection& connection, const std::string& uid) {
  GW_TRY(auto rows, connection.query("SELECT state, procedure_id, body, remarks FROM performed_step"
                                     " WHERE sop_instance_uid = ?",
                                     uid));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<KnownStep>();
  GW_TRY(Json body, Json::parse(rows.text(2)));
  return std::optional<KnownStep>(KnownStep{std::string(rows.text(0)), std::string(rows.text(1)),
                                            std::move(body), std::string(rows.text(3))});
}

bool is_status(std::string_view status) {
  return status == kInProgress || status == "COMPLETED" || status == "DISCONTINUED";
}

core::Result<bool> is_first_message_again(Connection& connection,
                                          const PerformedStepMessage& message) {
  GW_TRY(const auto same,
         connection.integer("SELECT data_set = ? FROM performed_step_message WHERE step = ?"
                            " AND kind = 'create' ORDER BY number LIMIT 1",
                            std::as_bytes(std::span(message.data_set)), message.sop_instance_uid));
  return same.value_or(0) == 1;
}

core::Result<StepOutcome> judge(Connection& connection, const PerformedStepMessage& message,
                                const std::optional<KnownStep>& known) {
  const Json& status = message.attributes["status"];
  if (message.is_new && known) {
    GW_TRY(const bool again, is_first_message_again(connection, message));
    return again ? StepOutcome::repeated : StepOutcome::exists;
  }
  if (!message.is_new && !known) return StepOutcome::unknown;
  if (known && known->state != kInProgress) return StepOutcome::ended;
  if (!status.is_null() && !is_status(status.text())) return StepOutcome::not_a_status;
  return StepOutcome::recorded;
}

std::string_view first_study(const Json& body) {
  for (const Json& scheduled : body["scheduled"].items()) {
    if (!scheduled["studyUid"].text().empty()) return scheduled["studyUid"].text();
  }
  return {};
}

bool is_wrong_entry(const Json& body) {
  return body["status"].text() == "DISCONTINUED" && body["reason"]["value"].text() == kWrongEntry;
}

core::Status keep_message(Connection& connection, const PerformedStepMessage& message,
                          const std::string& now) {
  return connection.run(
      "INSERT INTO performed_step_message (step, kind, transfer_syntax_uid, at, data_set)"
      " VALUES (?, ?, ?, ?, ?)",
      message.sop_instance_uid, message.is_new ? "create" : "set", message.transfer_syntax_uid, now,
      std::as_bytes(std::span(message.data_set)));
}

core::Status keep_step(Connection& connection, const PerformedStepMessage& message,
                       const KnownStep& step, const std::string& now) {
  return connection.run(
      "INSERT INTO performed_step (sop_instance_uid, state, study_uid, procedure_id, wrong_entry,"
      " calling_ae_title, created_at, changed_at, remarks, body)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9) ON CONFLICT (sop_instance_uid) DO UPDATE"
      " SET state = ?2, study_uid = ?3, wrong_entry = ?5, changed_at = ?7, remarks = ?8, body = ?9",
      message.sop_instance_uid, step.state, first_study(step.body), step.procedure_id,
      is_wrong_entry(step.body), message.calling_ae_title, now, step.remarks, step.body.dump());
}

/// The order whose worklist step this is: by the Study Instance UID we gave it, else by our step id
/// and accession number, for modalities that make a study UID of their own.
core::Result<std::optional<std::string>> find_order(Connection& connection, const Json& scheduled) {
  GW_TRY(auto order,
         connection.text("SELECT service_request FROM worklist_step WHERE study_uid = ?",
                         scheduled["studyUid"].text()));
  if (order || scheduled["stepId"].text().empty()) return order;
  return connection.text(
      "SELECT service_request FROM worklist_step WHERE accession_number = ? AND step_id = ?",
      scheduled["accession"].text(), scheduled["stepId"].text());
}

core::Status link_orders(Connection& connection, const std::string& uid, const Json& body) {
  for (const Json& scheduled : body["scheduled"].items()) {
    GW_TRY(const auto order, find_order(connection, scheduled));
    if (!order) continue;
    GW_CHECK(connection.run(
        "INSERT OR IGNORE INTO performed_step_order (step, service_request) VALUES (?, ?)", uid,
        *order));
  }
  return {};
}

core::Result<std::vector<std::string>> linked_orders(Connection& connection,
                                                     const std::string& uid) {
  GW_TRY(auto rows,
         connection.query("SELECT service_request FROM performed_step_order WHERE step = ?", uid));
  std::vector<std::string> orders;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return orders;
    orders.emplace_back(rows.text(0));
  }
}

/// A discontinued step counts as not made: its order stays on the worklist, so that it can be done
/// again.
core::Status move_worklist(Connection& connection, const std::string& order) {
  return connection.run(
      "UPDATE worklist_step SET status = coalesce((SELECT CASE WHEN max(p.state = 'COMPLETED') THEN"
      " 'COMPLETED' WHEN max(p.state = 'IN PROGRESS') THEN 'STARTED' END FROM performed_step_order "
      "o"
      " JOIN performed_step p ON p.sop_instance_uid = o.step WHERE o.service_request = ?1),"
      " 'SCHEDULED') WHERE service_request = ?1",
      order);
}

core::Status hold_images(Connection& connection, std::string_view study_uid) {
  if (study_uid.empty()) return {};
  GW_CHECK(connection.run(
      "UPDATE dicom_study SET identity = 'disputed', patient = '', identity_reason = ?"
      " WHERE study_uid = ?",
      kWrongEntryHold, study_uid));
  return connection.run(
      "UPDATE outbox SET state = 'parked', reason = ? WHERE kind = 'instance' AND state = 'waiting'"
      " AND subject IN (SELECT CAST(row AS TEXT) FROM dicom_instance WHERE study_uid = ?)",
      kWrongEntryHold, study_uid);
}

InstanceFacts facts_of(const Json& body) {
  InstanceFacts facts;
  facts.study_instance_uid = first_study(body);
  facts.patient_id = body["patientId"].text();
  facts.patient_id_issuer = body["patientIdIssuer"].text();
  facts.patient_name = body["patientName"].text();
  facts.birth_date = body["birthDate"].text();
  facts.sex = body["sex"].text();
  return facts;
}

core::Status queue_procedure(Connection& connection, const StepOptions& options,
                             const ResourceKey& procedure, const std::string& patient,
                             const std::string& now) {
  for (const std::string& uplink : options.fhir_uplinks) {
    // A patient registered here may not have reached the hospital yet.
    GW_TRY(const auto needs,
           connection.integer("SELECT number FROM outbox WHERE uplink = ? AND kind = 'resource' AND"
                              " subject = ? AND state <> 'parked' ORDER BY number DESC LIMIT 1",
                              uplink, core::cat("Patient/", patient)));
    GW_CHECK(queue_row(connection, uplink, "resource", procedure.text(), 0, needs, now));
  }
  return {};
}

/// Writes and queues the Procedure; answers whose it is.
core::Result<std::string> tell_hospital(Connection& connection, const std::string& uid,
                                        const KnownStep& step, const StepOptions& options,
                                        const std::string& now) {
  GW_TRY(const StudyIdentity identity,
         decide_identity(connection, facts_of(step.body), options.patient_id_issuer));
  fhir::ProcedureLinks links{step.procedure_id, uid, identity.patient, {}};
  if (is_wrong_entry(step.body)) {
    links.patient.clear();  // of all things the patient is what was wrong
  } else {
    GW_TRY(links.service_requests, linked_orders(connection, uid));
  }
  const ResourceKey key{"Procedure", step.procedure_id};
  GW_CHECK(put_resource(connection, key,
                        fhir::procedure_of_step(step.body, links, options.time_zone), "clinic",
                        now));
  GW_CHECK(queue_procedure(connection, options, key, links.patient, now));
  return links.patient.empty() ? std::string() : core::cat("Patient/", links.patient);
}

void take_over(KnownStep& step, const PerformedStepMessage& message) {
  for (const auto& [name, value] : message.attributes.members()) step.body.set(name, value);
  if (step.body["status"].is_null()) step.body.set("status", kInProgress);
  step.state = step.body["status"].text();
  if (!message.remarks.empty() && step.remarks.find(message.remarks) == std::string::npos)
    step.remarks += core::cat(step.remarks.empty() ? "" : "; ", message.remarks);
}

}  // namespace

core::Result<StepRecording> record_performed_step(Connection& connection,
                                                  const PerformedStepMessage& message,
                                                  const StepOptions& options,
                                                  const std::string& now) {
  const std::string& uid = message.sop_instance_uid;
  GW_TRY(auto known, find_step(connection, uid));
  StepRecording recording;
  GW_TRY(recording.outcome, judge(connection, message, known));
  if (recording.outcome != StepOutcome::recorded) return recording;

  KnownStep step = known ? std::move(*known)
                         : KnownStep{"", stable_id(core::cat("clinic-gateway Procedure ", uid)),
                                     Json::object(), ""};
  take_over(step, message);
  GW_CHECK(keep_step(connection, message, step, now));
  GW_CHECK(keep_message(connection, message, now));
  GW_CHECK(link_orders(connection, uid, step.body));
  GW_TRY(const auto orders, linked_orders(connection, uid));
  for (const std::string& order : orders) GW_CHECK(move_worklist(connection, order));
  if (is_wrong_entry(step.body)) GW_CHECK(hold_images(connection, first_study(step.body)));
  recording.procedure = core::cat("Procedure/", step.procedure_id);
  GW_TRY(recording.patient, tell_hospital(connection, uid, step, options, now));
  return recording;
}

core::Result<std::string> hold_of_study(Connection& connection, std::string_view study_uid) {
  GW_TRY(const auto wrong,
         connection.integer("SELECT 1 FROM performed_step WHERE study_uid = ? AND wrong_entry = 1",
                            study_uid));
  return std::string(wrong ? kWrongEntryHold : std::string_view());
}

core::Result<StepProgress> step_progress(Connection& connection, std::string_view study_uid) {
  StepProgress progress;
  std::set<std::string> listed;
  {
    GW_TRY(auto rows, connection.query("SELECT state, body FROM performed_step WHERE study_uid = ?",
                                       study_uid));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      ++progress.steps;
      progress.is_running = progress.is_running || rows.text(0) == kInProgress;
      GW_TRY(const Json body, Json::parse(rows.text(1)));
      for (const Json& series : body["series"].items()) {
        for (const Json& instance : series["instances"].items())
          listed.emplace(instance["uid"].text());
      }
    }
  }
  progress.listed = std::ssize(listed);
  for (const std::string& uid : listed) {
    GW_TRY(const auto held,
           connection.integer(
               "SELECT 1 FROM dicom_instance WHERE sop_instance_uid = ? AND copy = 0", uid));
    progress.held += held.value_or(0);
  }
  return progress;
}

}  // namespace gateway::sync
