#include "sync/ingest.h"

#include <algorithm>
#include <future>
#include <map>

#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/identity.h"
#include "sync/outbox.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

struct HeldCopies {
  bool same_bytes = false;
  std::int64_t count = 0;
};

core::Result<HeldCopies> find_copies(Connection& connection, const ReceivedInstance& instance) {
  GW_TRY(auto rows,
         connection.query("SELECT data_set_digest FROM dicom_instance WHERE sop_instance_uid = ?",
                          instance.facts.sop_instance_uid));
  HeldCopies held;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return held;
    const auto digest = rows.blob(0);
    if (std::equal(digest.begin(), digest.end(), instance.data_set_digest.begin(),
                   instance.data_set_digest.end())) {
      held.same_bytes = true;
    }
    ++held.count;
  }
}

struct Study {
  std::string imaging_study_id;
  std::map<std::string, std::int64_t>
      needs;  // per uplink: outbox row of the patient just registered
};

/// Queues a newly registered patient for each FHIR uplink: the rows that the study's rows then wait
/// for.
core::Result<std::map<std::string, std::int64_t>> register_patient(Connection& connection,
                                                                   const std::string& id,
                                                                   const InstanceFacts& facts,
                                                                   const IngestOptions& options,
                                                                   const std::string& now) {
  const ResourceKey key{"Patient", id};
  GW_CHECK(put_resource(connection, key, provisional_patient(id, facts, options.patient_id_issuer),
                        "clinic", now));
  std::map<std::string, std::int64_t> needs;
  for (const std::string& uplink : options.fhir_uplinks) {
    GW_TRY(needs[uplink],
           queue_row(connection, uplink, "resource", key.text(), 0, std::nullopt, now));
  }
  return needs;
}

core::Result<Study> begin_study(Connection& connection, const InstanceFacts& facts,
                                const IngestOptions& options, const core::Clock& clock,
                                const std::string& now) {
  Study study{core::new_uuid(clock), {}};
  GW_TRY(StudyIdentity identity, decide_identity(connection, facts, options.patient_id_issuer));
  if (identity.state == "provisional") {
    identity.patient = core::new_uuid(clock);
    GW_TRY(study.needs, register_patient(connection, identity.patient, facts, options, now));
  }
  GW_CHECK(connection.run(
      "INSERT INTO dicom_study (study_uid, imaging_study_id, identity, identity_reason, patient, "
      "service_request,"
      " patient_id, patient_name, birth_date, sex, accession_number, study_id, study_date, "
      "study_time,"
      " description, referring_physician, received_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      facts.study_instance_uid, study.imaging_study_id, identity.state, identity.reason,
      identity.patient, identity.service_request, facts.patient_id, facts.patient_name,
      facts.birth_date, facts.sex, facts.accession_number, facts.study_id, facts.study_date,
      facts.study_time, facts.study_description, facts.referring_physician, now));
  return study;
}

/// The study's row, made with its first instance. A later instance that names another patient puts
/// the study in dispute.
core::Result<Study> find_or_begin_study(Connection& connection, const InstanceFacts& facts,
                                        const IngestOptions& options, const core::Clock& clock,
                                        const std::string& now) {
  std::string imaging_study_id;
  bool other_patient = false;
  {
    GW_TRY(auto rows, connection.query("SELECT imaging_study_id, patient_id, patient_name FROM "
                                       "dicom_study WHERE study_uid = ?",
                                       facts.study_instance_uid));
    GW_TRY(const bool found, rows.next());
    if (found) {
      imaging_study_id = rows.text(0);
      other_patient = rows.text(1) != facts.patient_id;
    }
  }
  if (imaging_study_id.empty()) return begin_study(connection, facts, options, clock, now);
  if (other_patient) {
    GW_CHECK(connection.run(
        "UPDATE dicom_study SET identity = 'disputed', patient = '',"
        " identity_reason = 'images of one study carry different patient ids' WHERE study_uid = ?",
        facts.study_instance_uid));
  }
  return Study{imaging_study_id, {}};
}

core::Status insert_series(Connection& connection, const InstanceFacts& facts) {
  return connection.run(
      "INSERT OR IGNORE INTO dicom_series (study_uid, series_uid, modality, number, description, "
      "body_part,"
      " series_date, series_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      facts.study_instance_uid, facts.series_instance_uid, facts.modality, facts.series_number,
      facts.series_description, facts.body_part, facts.series_date, facts.series_time);
}

core::Result<std::int64_t> insert_instance(Connection& connection, const ReceivedInstance& instance,
                                           std::int64_t copy, const std::string& now) {
  const InstanceFacts& facts = instance.facts;
  GW_CHECK(connection.run(
      "INSERT INTO dicom_instance (sop_instance_uid, copy, study_uid, series_uid, sop_class_uid,"
      " transfer_syntax_uid, instance_number, number_of_frames, object_id, size, data_set_offset,"
      " data_set_digest, calling_ae_title, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?)",
      facts.sop_instance_uid, copy, facts.study_instance_uid, facts.series_instance_uid,
      facts.sop_class_uid, facts.transfer_syntax_uid, facts.instance_number, facts.number_of_frames,
      instance.object.id, instance.object.size, instance.data_set_offset,
      std::span<const std::byte>(instance.data_set_digest), instance.calling_ae_title, now));
  return connection.last_row();
}

}  // namespace

Ingest::Ingest(crypto::Database& database, crypto::ObjectStore& objects, const crypto::Audit& audit,
               Settling& settling, const core::Clock& clock, IngestOptions options)
    : database_(database),
      objects_(objects),
      audit_(audit),
      settling_(settling),
      clock_(clock),
      options_(std::move(options)) {}

core::Result<std::unique_ptr<crypto::SealedWriter>> Ingest::begin_object() {
  return objects_.create();
}

core::Result<StoreOutcome> Ingest::store(ReceivedInstance instance, crypto::SealedWriter& object) {
  instance.object = {object.id(), object.size()};
  StoreOutcome outcome = StoreOutcome::stored;
  std::string study_subject;
  bool may_be_committed = false;
  std::promise<core::Status> durable;
  // Shared: the writer thread may still be inside set_value() when we go on.
  const auto committed = std::make_shared<std::promise<core::Status>>();
  const std::shared_future<core::Status> object_is_durable = durable.get_future().share();
  database_.write_async(
      [&](Connection& connection) -> core::Status {
        const core::Status stored = store_in(connection, instance, outcome, study_subject);
        // The commit must not overtake the object.
        const core::Status& waited = object_is_durable.get();
        may_be_committed = stored.ok() && waited.ok();
        return stored.ok() ? waited : stored;
      },
      [committed](core::Status status) { committed->set_value(std::move(status)); });
  const auto finished = object.finish();
  durable.set_value(finished.ok() ? core::Status() : core::Status(finished.error()));
  const core::Status kept = committed->get_future().get();
  // A COMMIT that failed may still be on the disk: then only the next start's sweep can tell.
  const bool unnamed = !may_be_committed || outcome == StoreOutcome::repeated;
  if (finished.ok() && unnamed) {
    // The sweep takes it if this fails.
    if (auto removed = objects_.shred(instance.object.id); !removed.ok())
      core::log_warn("ingest", removed.error().message());
  }
  if (!kept.ok()) return kept.error();
  if (outcome == StoreOutcome::repeated) return outcome;
  if (auto settled = objects_.settle(instance.object.id); !settled.ok())
    core::log_warn("ingest", settled.error().message());
  if (!study_subject.empty()) settling_.touch(study_subject, clock_.monotonic());
  wake_();
  return outcome;
}

core::Status Ingest::store_in(Connection& connection, const ReceivedInstance& instance,
                              StoreOutcome& outcome, std::string& study_subject) {
  const std::string now = core::to_instant(clock_.wall());
  GW_TRY(const HeldCopies copies, find_copies(connection, instance));
  if (copies.same_bytes) {
    outcome = StoreOutcome::repeated;
    return {};
  }
  outcome = copies.count == 0 ? StoreOutcome::stored : StoreOutcome::other_copy;
  GW_TRY(const Study study, find_or_begin_study(connection, instance.facts, options_, clock_, now));
  GW_CHECK(insert_series(connection, instance.facts));
  GW_TRY(const std::int64_t row, insert_instance(connection, instance, copies.count, now));

  for (const std::string& uplink : options_.image_uplinks) {
    GW_TRY(const std::int64_t number, queue_row(connection, uplink, "instance", std::to_string(row),
                                                instance.object.size, std::nullopt, now));
    // Which of two objects under one UID the hospital should have is for a person to say.
    if (outcome == StoreOutcome::other_copy) {
      GW_CHECK(connection.run("UPDATE outbox SET state = 'parked', reason = ? WHERE number = ?",
                              "another object with the same SOP Instance UID but other bytes was "
                              "received before; both are kept,"
                              " only the first was sent",
                              number));
    }
  }
  for (const std::string& uplink : options_.fhir_uplinks) {
    study_subject = core::cat("ImagingStudy/", study.imaging_study_id);
    const auto need = study.needs.find(uplink);
    const auto needs = need == study.needs.end() ? std::nullopt : std::optional(need->second);
    GW_CHECK(queue_row(connection, uplink, "resource", study_subject, 0, needs, now));
  }
  return audit_.append(
      connection,
      {.at = clock_.wall(),
       .actor = core::cat("ae:", instance.calling_ae_title),
       .action = "create",
       .resource = core::cat("instance/", row),
       .patient = "",
       .source = instance.peer_address,
       .outcome = outcome == StoreOutcome::stored ? "stored" : "stored as another copy"});
}

}  // namespace gateway::sync
