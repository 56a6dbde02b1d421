#include "sync/prior_intake.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"
#include "sync/identity.h"
#include "sync/image_rows.h"
#include "sync/merged_patients.h"
#include "sync/performed_step.h"
#include "sync/replica.h"
#include "sync/sealed_instance.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using crypto::Connection;

/// What is here of the study is the person's, and not held back.
core::Result<bool> is_study_of(Connection& connection, const std::string& study_uid,
                               const std::vector<std::string>& records) {
  GW_TRY(const std::string hold, hold_of_study(connection, study_uid));
  if (!hold.empty()) return false;
  std::string identity;
  std::string patient;
  {
    GW_TRY(auto rows, connection.query("SELECT identity, patient FROM dicom_study"
                                       " WHERE study_uid = ?",
                                       study_uid));
    GW_TRY(const bool found, rows.next());
    if (!found) return true;
    identity = rows.text(0);
    patient = rows.text(1);
  }
  if (identity != "linked" && identity != "provisional") return false;
  return std::ranges::find(records, patient) != records.end();
}

/// Family or given name of a PN's alphabetic group.
bool is_name(std::string_view pn) {
  const std::string key = fhir::pn_search_key(pn.substr(0, pn.find('=')));
  return !key.empty() && !key.starts_with("^^");
}

/// An id alone says nothing, as nobody looks at what is fetched: the name has to stand in both, and
/// the birth date (which may be a year or month) wherever a record of the person has one.
core::Result<bool> is_named(Connection& connection, const InstanceFacts& facts,
                            const std::vector<std::string>& records) {
  if (!is_name(facts.patient_name)) return false;
  bool is_born = false;  // by any of the records
  bool agrees = false;
  bool agrees_with_birth = false;
  for (const std::string& record : records) {
    GW_TRY(const auto held, read_resource(connection, {"Patient", record}));
    if (!held) continue;
    const std::string name = fhir::pn_from_human_names(held->body["name"]);
    std::string born(held->body["birthDate"].text());
    std::erase(born, '-');
    is_born = is_born || !born.empty();
    if (!is_name(name) || !fhir::names_agree(name, facts.patient_name)) continue;
    agrees = true;
    agrees_with_birth = agrees_with_birth || (!born.empty() && facts.birth_date.starts_with(born));
  }
  return is_born ? agrees_with_birth : agrees;
}

/// A row under its SOP Instance UID.
struct Known {
  std::int64_t row = 0;
  bool is_evicted = false;
  bool is_same = false;
};

core::Result<std::vector<Known>> known_rows(Connection& connection, const InstanceFacts& facts,
                                            const std::string& digest) {
  GW_TRY(auto rows, connection.query("SELECT row, state = 'evicted', digest = ?"
                                     " AND transfer_syntax_uid = ? AND study_uid = ?"
                                     " FROM dicom_instance WHERE sop_instance_uid = ?",
                                     digest, facts.transfer_syntax_uid, facts.study_instance_uid,
                                     facts.sop_instance_uid));
  std::vector<Known> known;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return known;
    known.push_back({rows.integer(0), rows.integer(1) != 0, rows.integer(2) != 0});
  }
}

/// One prior on its way in, within one transaction.
class Taking {
 public:
  Taking(Connection& connection, Holdings& holdings, const PriorSource& source,
         const ReceivedInstance& instance, const std::string& digest, core::Wall now)
      : connection_(connection),
        holdings_(holdings),
        source_(source),
        instance_(instance),
        digest_(digest),
        now_(now) {}

  core::Result<PriorOutcome> run() {
    const InstanceFacts& facts = instance_.facts;
    const std::string& own_issuer = holdings_.options().ingest.patient_id_issuer;
    GW_TRY(const bool is_patients, is_prior_of(connection_, facts, source_.patient, own_issuer));
    if (!is_patients) return Error(Code::invalid, "it is not of the patient it was fetched for");
    GW_TRY(const auto known, known_rows(connection_, facts, digest_));
    if (std::ranges::any_of(known, [](const Known& one) { return !one.is_evicted; }))
      return PriorOutcome::held_already;
    const auto same = std::ranges::find(known, true, &Known::is_same);
    if (!known.empty() && same == known.end())
      return Error(Code::invalid, "it was here with other bytes");
    GW_CHECK(open_study());
    std::int64_t row = known.empty() ? 0 : same->row;
    if (known.empty()) {
      GW_TRY(row, add_instance());
    } else {
      GW_CHECK(put_back(row));
    }
    GW_CHECK(keep_fetched(connection_, row, source_.uplink, "verified", core::to_instant(now_)));
    GW_CHECK(
        holdings_.audit().append(connection_, {.at = now_,
                                               .actor = core::cat("uplink:", source_.uplink),
                                               .action = "create",
                                               .resource = core::cat("instance/", row),
                                               .patient = core::cat("Patient/", source_.patient),
                                               .source = "local",
                                               .outcome = "prior fetched for a visit"}));
    return PriorOutcome::taken;
  }

 private:
  /// Its row, which says that all that is held of it was fetched where that is so.
  core::Status open_study() {
    const InstanceFacts& facts = instance_.facts;
    const std::string now = core::to_instant(now_);
    GW_TRY(const auto known, connection_.integer("SELECT evicted_at <> '' FROM dicom_study"
                                                 " WHERE study_uid = ?",
                                                 facts.study_instance_uid));
    if (known == 0) return {};
    if (known) {
      // Its age begins anew: retention would else let it go at once.
      return connection_.run(
          "UPDATE dicom_study SET evicted_at = '', is_fetched = 1, received_at = ?"
          " WHERE study_uid = ?",
          now, facts.study_instance_uid);
    }
    GW_TRY(const StudyIdentity identity,
           decide_identity(connection_, facts, holdings_.options().ingest.patient_id_issuer));
    GW_CHECK(insert_study(connection_, facts, identity, now));
    return note_fetched_study(connection_, facts.study_instance_uid);
  }

  core::Result<std::int64_t> add_instance() {
    GW_CHECK(insert_series(connection_, instance_.facts));
    GW_TRY(const std::int64_t row,
           insert_instance(connection_, instance_, 0, core::to_instant(now_)));
    GW_CHECK(connection_.run("UPDATE dicom_instance SET digest = ? WHERE row = ?", digest_, row));
    GW_CHECK(route_home(connection_, row, source_.uplink));
    return row;
  }

  core::Status put_back(std::int64_t row) {
    return connection_.run(
        "UPDATE dicom_instance SET state = 'held', object_id = ?, size = ?, data_set_offset = ?,"
        " received_at = ? WHERE row = ? AND state = 'evicted'",
        instance_.object.id, instance_.object.size, instance_.data_set_offset,
        core::to_instant(now_), row);
  }

  Connection& connection_;
  Holdings& holdings_;
  const PriorSource& source_;
  const ReceivedInstance& instance_;
  const std::string& digest_;
  const core::Wall now_;
};

}  // namespace

core::Result<bool> is_prior_of(Connection& connection, const InstanceFacts& facts,
                               const std::string& patient, std::string_view own_issuer) {
  GW_TRY(const StudyIdentity identity, decide_identity(connection, facts, own_issuer));
  if (identity.state != "linked") return false;
  GW_TRY(const auto records, records_of_person(connection, patient));
  if (std::ranges::find(records, identity.patient) == records.end()) return false;
  GW_TRY(const bool named, is_named(connection, facts, records));
  if (!named) return false;
  return is_study_of(connection, facts.study_instance_uid, records);
}

core::Result<PriorOutcome> take_prior(Holdings& holdings, const core::Clock& clock,
                                      const PriorSource& source, const std::string& study_uid,
                                      const std::string& object_id, const std::string& digest) {
  bool may_be_committed = false;
  PriorOutcome outcome = PriorOutcome::held_already;
  const auto take = [&]() -> core::Status {
    GW_TRY(const ReceivedInstance instance, read_sealed_instance(holdings, object_id));
    if (instance.facts.study_instance_uid != study_uid)
      return Error(Code::invalid, "it is of another study than the PACS said");
    return holdings.database().write([&](Connection& connection) -> core::Status {
      Taking taking(connection, holdings, source, instance, digest, clock.wall());
      GW_TRY(outcome, taking.run());
      may_be_committed = outcome == PriorOutcome::taken;
      return {};
    });
  };
  const core::Status taken = take();
  if (taken.ok() && outcome == PriorOutcome::taken) {
    if (const auto settled = holdings.objects().settle(object_id); !settled.ok())
      core::log_warn("prefetch", settled.error().message());
    return outcome;
  }
  // A COMMIT that failed may still be on the disk: then only the next start's sweep can tell.
  if (!may_be_committed) {
    if (const auto gone = holdings.objects().shred(object_id); !gone.ok())
      core::log_warn("prefetch", gone.error().message());
  }
  GW_CHECK(taken);
  return outcome;
}

}  // namespace gateway::sync
