#include "sync/ingest.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/data_set_digest.h"
#include "sync/identity.h"
#include "sync/image_rows.h"
#include "sync/instance_row.h"
#include "sync/outbox.h"
#include "sync/replica.h"
#include "sync/shown_patient.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

/// An object held under the SOP Instance UID of the one just received.
struct HeldCopy {
  crypto::SealedObject object;
  std::uint64_t data_set_offset = 0;
  bool evicted = false;  // then the digest of its data set is all that is left to compare with
  std::string digest;
};

core::Result<std::vector<HeldCopy>> find_copies(Connection& connection,
                                                const std::string& sop_instance_uid) {
  GW_TRY(auto rows, connection.query("SELECT object_id, size, data_set_offset,"
                                     " state = 'evicted', digest FROM dicom_instance"
                                     " WHERE sop_instance_uid = ?",
                                     sop_instance_uid));
  std::vector<HeldCopy> copies;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return copies;
    copies.push_back({{std::string(rows.text(0)), static_cast<std::uint64_t>(rows.integer(1))},
                      static_cast<std::uint64_t>(rows.integer(2)),
                      rows.integer(3) != 0,
                      std::string(rows.text(4))});
  }
}

core::Result<bool> same_data_set(crypto::ObjectStore& objects, const HeldCopy& one,
                                 const HeldCopy& other) {
  std::uint64_t left = one.object.size - one.data_set_offset;
  if (left != other.object.size - other.data_set_offset) return false;
  if (other.evicted) {
    GW_TRY(const std::string digest, data_set_digest(objects, one.object.id, one.data_set_offset));
    return digest == other.digest;
  }
  GW_TRY(const auto first, objects.open_object(one.object.id));
  GW_TRY(const auto second, objects.open_object(other.object.id));
  constexpr std::size_t kPiece = 256U << 10;
  std::vector<std::byte> a(kPiece);
  std::vector<std::byte> b(kPiece);
  for (std::uint64_t at = 0; left > 0;) {
    const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece));
    GW_TRY(const std::size_t got_a,
           first->read(one.data_set_offset + at, std::span(a).first(piece)));
    GW_TRY(const std::size_t got_b,
           second->read(other.data_set_offset + at, std::span(b).first(piece)));
    if (got_a != piece || got_b != piece || std::memcmp(a.data(), b.data(), piece) != 0)
      return false;
    at += piece;
    left -= piece;
  }
  return true;
}

struct Study {
  std::string imaging_study_id;
  std::map<std::string, std::int64_t>
      needs;                    // per uplink: outbox row of the patient just registered
  std::string patient;          // id of the Patient it is linked to; empty: none, or in dispute
  std::string service_request;  // id of the order it answers
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

core::Result<Study> begin_study(Connection& connection, const ReceivedInstance& instance,
                                const IngestOptions& options, const core::Clock& clock,
                                const std::string& now, bool is_adopted) {
  const InstanceFacts& facts = instance.facts;
  const std::string& imported_for = instance.imported_for;
  Study study{imaging_study_id_of(facts.study_instance_uid), {}, {}, {}};
  GW_TRY(StudyIdentity identity, imported_for.empty()
                                     ? decide_identity(connection, facts, options.patient_id_issuer)
                                     : identity_named_by_person(connection, facts, imported_for));
  GW_TRY(const std::string hold, hold_of_study(connection, facts.study_instance_uid));
  if (!hold.empty()) identity = {"disputed", hold, "", identity.service_request};
  if (identity.state == "provisional" && is_adopted) {
    identity.state = "disputed";
    identity.reason = "the index was rebuilt: whether the patient was registered is not known";
  } else if (identity.state == "provisional") {
    identity.patient = core::new_uuid(clock);
    GW_TRY(study.needs, register_patient(connection, identity.patient, facts, options, now));
  }
  study.patient = identity.patient;
  study.service_request = identity.service_request;
  GW_CHECK(insert_study(connection, facts, identity, now));
  if (!instance.fetched_from.empty())
    GW_CHECK(note_fetched_study(connection, facts.study_instance_uid));
  return study;
}

/// The study's row, made with its first instance, which may be one that was fetched. A later
/// instance that names another patient puts the study in dispute.
core::Result<Study> find_or_begin_study(Connection& connection, const ReceivedInstance& instance,
                                        const IngestOptions& options, const core::Clock& clock,
                                        const std::string& now, bool is_adopted) {
  const InstanceFacts& facts = instance.facts;
  const std::string& imported_for = instance.imported_for;
  const bool is_fetched = !instance.fetched_from.empty();
  std::string imaging_study_id;
  std::string patient;
  std::string service_request;
  bool other_patient = false;
  bool is_as_ever = true;
  {
    GW_TRY(auto rows, connection.query("SELECT imaging_study_id, patient_id,"
                                       " evicted_at = '' AND is_fetched = 0 AND is_made_here = 1,"
                                       " patient, service_request FROM dicom_study"
                                       " WHERE study_uid = ?",
                                       facts.study_instance_uid));
    GW_TRY(const bool found, rows.next());
    if (found) {
      imaging_study_id = rows.text(0);
      other_patient = rows.text(1) != facts.patient_id;
      is_as_ever = rows.integer(2) != 0;
      if (!other_patient) patient = rows.text(3);
      service_request = rows.text(4);
    }
  }
  if (imaging_study_id.empty())
    return begin_study(connection, instance, options, clock, now, is_adopted);
  if (!imported_for.empty() && patient != imported_for) {
    return core::Error(core::Code::invalid, "the study is held already, and not as this Patient's");
  }
  if (other_patient) {
    GW_CHECK(connection.run(
        "UPDATE dicom_study SET identity = 'disputed', patient = '',"
        " identity_reason = 'images of one study carry different patient ids' WHERE study_uid = ?",
        facts.study_instance_uid));
  }
  if (!is_as_ever) {
    GW_CHECK(
        connection.run("UPDATE dicom_study SET evicted_at = '', is_fetched = is_fetched AND ?1,"
                       " is_made_here = is_made_here OR NOT ?1 WHERE study_uid = ?2",
                       is_fetched ? 1 : 0, facts.study_instance_uid));
  }
  return Study{imaging_study_id, {}, patient, service_request};
}

/// The PACS would file it under what stands in it.
core::Result<std::string> hold_of_import(Connection& connection, const ReceivedInstance& instance,
                                         const std::string& own_issuer) {
  const InstanceFacts& facts = instance.facts;
  GW_TRY(
      const ShownPatient shown,
      shown_patient(connection, {facts.patient_name, facts.patient_id, facts.birth_date, facts.sex},
                    instance.imported_for, own_issuer));
  return std::string(shown.is_corrected ? "imported from media under another id than the patient's "
                                          "here; clinic-gateway retry sends it as it is"
                                        : "");
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

/// One attempt to store an instance, and what it found out.
struct Ingest::Attempt {
  ReceivedInstance instance;
  std::vector<HeldCopy> others;  // under the same UID, known to have other bytes
  std::vector<HeldCopy> unread;  // under the same UID, yet to be compared
  std::string study_subject;     // of the outbox rows of its ImagingStudy
  bool may_be_committed = false;
  Route route;
  std::string hold;                        // why it must not leave; empty: nothing is against it
  std::optional<RejectionNote> rejection;  // what it says, where it is a note
  bool is_withdrawn = false;               // by a note that came before
  std::string repeats;                     // id of the object held that has the same bytes
  bool perhaps_sent = false;
  std::string adopted_at;  // when it was received, for one that is adopted; else empty
  bool is_adopted() const { return !adopted_at.empty(); }
  /// What was fetched as a prior and comes from a modality too goes on like any other image.
  core::Status make_own(Ingest& door);
};

core::Result<StoreOutcome> Ingest::store(ReceivedInstance instance, crypto::SealedWriter& object) {
  GW_CHECK(object.seal());
  instance.object = {object.id(), object.size()};
  Attempt attempt;
  attempt.instance = std::move(instance);
  if (attempt.instance.facts.sop_class_uid == kKeyObjectSelection) {
    GW_CHECK(object.finish());
    look_for_rejection(attempt);
  }

  core::Status kept = commit(attempt, object);
  bool repeated = false;
  // Each turn knows one more of the copies held, of which there is rarely even one.
  while (!kept.ok() && !attempt.unread.empty() && !repeated) {
    GW_CHECK(object.finish());
    repeated = is_repeat(attempt);
    if (!repeated) kept = commit(attempt, object);
  }
  // A COMMIT that failed may still be on the disk: then only the next start's sweep can tell.
  if (!kept.ok() && !attempt.may_be_committed && object.is_finished()) {
    // The sweep takes it if this fails.
    if (auto removed = objects_.shred(attempt.instance.object.id); !removed.ok())
      core::log_warn("ingest", removed.error().message());
  }
  if (repeated) {
    GW_CHECK(attempt.make_own(*this));
    return StoreOutcome::repeated;
  }
  GW_CHECK(kept);
  if (auto settled = objects_.settle(attempt.instance.object.id); !settled.ok())
    core::log_warn("ingest", settled.error().message());
  if (!attempt.study_subject.empty() && !options_.fhir_uplinks.empty())
    settling_.touch(attempt.study_subject, clock_.monotonic());
  wake_();
  return attempt.others.empty() ? StoreOutcome::stored : StoreOutcome::other_copy;
}

core::Status Ingest::Attempt::make_own(Ingest& door) {
  bool was_fetched = false;
  const auto make = [&](Connection& connection) -> core::Status {
    GW_TRY(const auto row, connection.integer("SELECT row FROM dicom_instance"
                                              " WHERE sop_instance_uid = ? AND object_id = ?"
                                              " AND state = 'held' AND fetched_from <> ''",
                                              instance.facts.sop_instance_uid, repeats));
    was_fetched = row.has_value();
    if (!row) return {};
    const std::string now = core::to_instant(door.clock_.wall());
    GW_CHECK(connection.run(
        "UPDATE dicom_instance SET fetched_from = '', is_routed = 0 WHERE row = ?", *row));
    GW_CHECK(connection.run("DELETE FROM dicom_route WHERE instance = ?", *row));
    GW_TRY(const Study study,
           find_or_begin_study(connection, instance, door.options_, door.clock_, now, false));
    study_subject = core::cat("ImagingStudy/", study.imaging_study_id);
    // It came from one of them.
    perhaps_sent = true;
    GW_TRY(route,
           route_of_instance(connection, door.options_.routes, instance, study.service_request));
    return door.send_on(connection, *this, *row, study.needs, now);
  };
  GW_CHECK(door.database_.write(make));
  if (!was_fetched) return {};
  if (!door.options_.fhir_uplinks.empty())
    door.settling_.touch(study_subject, door.clock_.monotonic());
  door.wake_();
  return {};
}

core::Status Ingest::commit(Attempt& attempt, crypto::SealedWriter& object) {
  // While the disk takes the object its rows are prepared. They must not be committed before it.
  const auto alone = database_.write_if_idle([&](Connection& connection) -> core::Status {
    GW_CHECK(store_in(connection, attempt));
    GW_CHECK(object.finish());
    attempt.may_be_committed = true;
    return {};
  });
  if (alone) return *alone;
  // Others are writing: they should not wait for our disk.
  GW_CHECK(object.finish());
  return database_.write([&](Connection& connection) -> core::Status {
    GW_CHECK(store_in(connection, attempt));
    attempt.may_be_committed = true;
    return {};
  });
}

core::Result<StoreOutcome> Ingest::adopt(ReceivedInstance instance, std::string received_at) {
  Attempt attempt;
  attempt.instance = std::move(instance);
  attempt.adopted_at = std::move(received_at);
  if (attempt.instance.facts.sop_class_uid == kKeyObjectSelection) look_for_rejection(attempt);
  while (true) {
    const core::Status kept =
        database_.write([&](Connection& connection) { return store_in(connection, attempt); });
    if (kept.ok()) break;
    if (attempt.unread.empty()) return kept.error();
    if (is_repeat(attempt)) return StoreOutcome::repeated;
  }
  return attempt.others.empty() ? StoreOutcome::stored : StoreOutcome::other_copy;
}

core::Result<StepOutcome> Ingest::record(const PerformedStepMessage& message) {
  StepRecording recording;
  GW_CHECK(database_.write([&](Connection& connection) -> core::Status {
    const StepOptions options{options_.patient_id_issuer, options_.time_zone,
                              options_.fhir_uplinks};
    GW_TRY(recording,
           record_performed_step(connection, message, options, core::to_instant(clock_.wall())));
    if (recording.outcome != StepOutcome::recorded) return {};
    return audit_.append(connection, {.at = clock_.wall(),
                                      .actor = core::cat("ae:", message.calling_ae_title),
                                      .action = message.is_new ? "create" : "update",
                                      .resource = recording.procedure,
                                      .patient = recording.patient,
                                      .source = message.peer_address,
                                      .outcome = "recorded"});
  }));
  if (recording.outcome == StepOutcome::recorded) wake_();
  return recording.outcome;
}

/// Compares with the copies not read yet. One that cannot be read is taken for another: nothing is
/// lost by keeping both.
bool Ingest::is_repeat(Attempt& attempt) {
  const HeldCopy ours{attempt.instance.object, attempt.instance.data_set_offset, false, ""};
  for (HeldCopy& copy : std::exchange(attempt.unread, {})) {
    const auto same = same_data_set(objects_, ours, copy);
    if (!same.ok()) core::log_warn("ingest", same.error().message());
    if (same.ok() && *same) {
      attempt.repeats = copy.object.id;
      return true;
    }
    attempt.others.push_back(std::move(copy));
  }
  return false;
}

core::Status Ingest::queue(Connection& connection, Attempt& attempt, std::int64_t row,
                           const std::map<std::string, std::int64_t>& needs_of,
                           const std::string& now) {
  const QueuedInstance queued{row,
                              attempt.instance.object.size,
                              !attempt.others.empty(),
                              attempt.is_adopted() || attempt.perhaps_sent,
                              attempt.route.turn,
                              attempt.hold};
  const auto uplinks = attempt.route.uplinks.value_or(options_.image_uplinks);
  for (const std::string& uplink : attempt.is_withdrawn ? std::vector<std::string>() : uplinks)
    GW_CHECK(queue_instance(connection, uplink, queued, now));
  for (const std::string& uplink : options_.fhir_uplinks) {
    const auto need = needs_of.find(uplink);
    const auto needs = need == needs_of.end() ? std::nullopt : std::optional(need->second);
    GW_TRY(const std::int64_t number,
           queue_row(connection, uplink, "resource", attempt.study_subject, 0, needs, now,
                     attempt.route.turn));
    if (attempt.is_adopted())
      GW_CHECK(connection.run("UPDATE outbox SET perhaps_sent = 1 WHERE number = ?", number));
  }
  return {};
}

core::Status Ingest::send_on(Connection& connection, Attempt& attempt, std::int64_t row,
                             const std::map<std::string, std::int64_t>& needs_of,
                             const std::string& now) {
  const ReceivedInstance& instance = attempt.instance;
  GW_CHECK(keep_route(connection, row, attempt.route));
  // Images that went before a hold are withdrawn all the same.
  if (!attempt.rejection) {
    GW_TRY(attempt.hold, hold_of_study(connection, instance.facts.study_instance_uid));
  }
  if (!instance.imported_for.empty() && attempt.hold.empty()) {
    GW_TRY(attempt.hold, hold_of_import(connection, instance, options_.patient_id_issuer));
  }
  return queue(connection, attempt, row, needs_of, now);
}

/// A document that cannot be read is kept like any other.
void Ingest::look_for_rejection(Attempt& attempt) {
  if (!options_.read_rejection) return;
  auto note = options_.read_rejection(objects_, attempt.instance);
  if (note.ok()) {
    attempt.rejection = std::move(*note);
  } else {
    core::log_warn("ingest", core::cat("a key object note is kept, but what it says is not known: ",
                                       note.error().message()));
  }
}

/// A note acts with its own commit, on what is here and on what comes.
core::Status Ingest::settle_rejection(Connection& connection, Attempt& attempt, std::int64_t row,
                                      const std::string& patient, const std::string& now) {
  GW_TRY(attempt.is_withdrawn, mark_if_rejected(connection, attempt.instance.facts, row));
  // Which of two notes under one UID counts is for a person to say.
  if (!attempt.rejection || !attempt.others.empty()) return {};
  GW_TRY(const std::int64_t withdrawn,
         apply_rejection(connection, *attempt.rejection, attempt.instance, row, now));
  return audit_.append(
      connection,
      {.at = clock_.wall(),
       .actor = core::cat("ae:", attempt.instance.calling_ae_title),
       .action = "withdraw",
       .resource = core::cat("ImagingStudy/",
                             imaging_study_id_of(attempt.instance.facts.study_instance_uid)),
       .patient = patient.empty() ? "" : core::cat("Patient/", patient),
       .source = attempt.instance.peer_address,
       .outcome = core::cat(withdrawn, " images, DCM ", attempt.rejection->reason)});
}

core::Status Ingest::store_in(Connection& connection, Attempt& attempt) {
  const ReceivedInstance& instance = attempt.instance;
  const std::string now =
      attempt.is_adopted() ? attempt.adopted_at : core::to_instant(clock_.wall());
  GW_TRY(attempt.unread, find_copies(connection, instance.facts.sop_instance_uid));
  std::erase_if(attempt.unread, [&](const HeldCopy& copy) {
    return std::ranges::any_of(
        attempt.others, [&](const HeldCopy& other) { return other.object.id == copy.object.id; });
  });
  if (!attempt.unread.empty())
    return core::Error(core::Code::exists, "a copy is held that was not compared yet");
  const bool is_other_copy = !attempt.others.empty();
  GW_TRY(const Study study,
         find_or_begin_study(connection, instance, options_, clock_, now, attempt.is_adopted()));
  GW_CHECK(insert_series(connection, instance.facts));
  GW_TRY(const std::int64_t row,
         insert_instance(connection, instance, std::ssize(attempt.others), now));
  GW_CHECK(settle_rejection(connection, attempt, row, study.patient, now));
  if (instance.fetched_from.empty()) {
    attempt.study_subject = core::cat("ImagingStudy/", study.imaging_study_id);
    // A note has to reach every PACS that may have the images, whatever rule is for its modality.
    if (!attempt.rejection) {
      GW_TRY(attempt.route,
             route_of_instance(connection, options_.routes, instance, study.service_request));
    }
    GW_CHECK(send_on(connection, attempt, row, study.needs, now));
  } else {
    // The PACS it came from gave it out once; retention has it shown again before it goes.
    GW_CHECK(keep_fetched(connection, row, instance.fetched_from, "stored", now));
    GW_CHECK(route_home(connection, row, instance.fetched_from));
  }
  return audit_.append(
      connection,
      {.at = clock_.wall(),
       .actor = instance.fetched_from.empty() ? core::cat("ae:", instance.calling_ae_title)
                                              : core::cat("uplink:", instance.fetched_from),
       .action = "create",
       .resource = core::cat("instance/", row),
       .patient = study.patient.empty() ? "" : core::cat("Patient/", study.patient),
       .source = instance.peer_address,
       .outcome = attempt.is_adopted() ? "index rebuilt"
                  : is_other_copy      ? "stored as another copy"
                                       : "stored"});
}

}  // namespace gateway::sync
