#include "sync/eviction.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/civil_time.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/data_set_digest.h"
#include "sync/patient_trail.h"
#include "sync/routes.h"
#include "sync/shredding.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

struct Proof {
  std::string uplink;
  std::string proof;
  std::string at;
};

core::Result<std::map<std::int64_t, std::vector<Proof>>> proofs_of(Connection& connection,
                                                                   const std::string& study_uid) {
  GW_TRY(auto rows,
         connection.query("SELECT d.instance, d.uplink, d.proof, d.at FROM dicom_instance i"
                          " JOIN dicom_delivery d ON d.instance = i.row WHERE i.study_uid = ?",
                          study_uid));
  std::map<std::int64_t, std::vector<Proof>> proofs;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return proofs;
    proofs[rows.integer(0)].push_back(
        {std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3))});
  }
}

void weigh(HeldInstance& instance, const std::vector<std::string>& uplinks,
           const std::vector<Proof>& proofs, const Asking& asking) {
  instance.confirmed = !uplinks.empty();
  for (const std::string& uplink : uplinks) {
    const auto found = std::find_if(proofs.begin(), proofs.end(),
                                    [&](const Proof& proof) { return proof.uplink == uplink; });
    if (found != proofs.end() && is_proof(found->proof)) continue;
    instance.confirmed = false;
    if (found == proofs.end()) continue;  // not delivered yet
    const bool said_no = found->proof == "differs" || found->proof == "missing";
    const bool is_due = !said_no || found->at < asking.ask_again_before;
    if (is_due && !asking.silent.contains(uplink)) instance.to_be_asked.push_back(uplink);
  }
}

core::Status add_instances(Connection& connection, const Asking& asking, HeldStudy& study) {
  GW_TRY(const auto proofs, proofs_of(connection, study.study_uid));
  std::set<std::int64_t> routed;
  {
    GW_TRY(auto rows, connection.query("SELECT row, size, received_at, is_routed"
                                       " FROM dicom_instance"
                                       " WHERE study_uid = ? AND state = 'held' ORDER BY row",
                                       study.study_uid));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      HeldInstance instance;
      instance.row = rows.integer(0);
      instance.bytes = static_cast<std::uint64_t>(rows.integer(1));
      const auto received = core::parse_instant(rows.text(2));
      if (received) study.last_received = std::max(study.last_received, *received);
      if (rows.integer(3) != 0) routed.insert(instance.row);
      study.instances.push_back(std::move(instance));
    }
  }
  for (HeldInstance& instance : study.instances) {
    std::vector<std::string> uplinks = asking.image_uplinks;
    if (routed.contains(instance.row)) {
      GW_TRY(uplinks, uplinks_of_instance(connection, instance.row, asking.image_uplinks));
    }
    const auto found = proofs.find(instance.row);
    static const std::vector<Proof> kNone;
    weigh(instance, uplinks, found == proofs.end() ? kNone : found->second, asking);
  }
  return {};
}

core::Result<std::vector<HeldStudy>> next_studies(Connection& connection,
                                                  const std::string& received_before, int limit,
                                                  StudyCursor& cursor) {
  GW_TRY(auto rows, connection.query(kEvictableStudies, cursor.is_past_fetched ? 0 : 1,
                                     cursor.received_at, cursor.study_uid, received_before, limit));
  std::vector<HeldStudy> studies;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return studies;
    cursor.received_at = rows.text(0);
    cursor.study_uid = rows.text(1);
    HeldStudy study;
    study.study_uid = cursor.study_uid;
    study.last_received = core::parse_instant(cursor.received_at).value_or(core::Wall());
    studies.push_back(std::move(study));
  }
}

struct Leaving {
  std::int64_t row = 0;
  std::string study_uid;
  std::string object_id;
  std::uint64_t bytes = 0;
  std::uint64_t data_set_offset = 0;
  std::string digest;
};

core::Result<std::optional<Leaving>> leaving(Connection& connection, std::int64_t row) {
  GW_TRY(auto rows, connection.query("SELECT study_uid, object_id, size, data_set_offset, digest"
                                     " FROM dicom_instance WHERE row = ? AND state = 'held'",
                                     row));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Leaving>();
  return std::optional(Leaving{row, std::string(rows.text(0)), std::string(rows.text(1)),
                               static_cast<std::uint64_t>(rows.integer(2)),
                               static_cast<std::uint64_t>(rows.integer(3)),
                               std::string(rows.text(4))});
}

/// False: a person, or the intake, had another mind since the plan was made.
core::Result<bool> may_still_go(Connection& connection, const Leaving& instance,
                                const std::vector<std::string>& image_uplinks) {
  GW_TRY(const auto study,
         connection.integer("SELECT 1 FROM dicom_study WHERE study_uid = ? AND pinned = 0"
                            " AND identity IN ('linked', 'provisional')",
                            instance.study_uid));
  if (!study) return false;
  GW_TRY(const auto uplinks, uplinks_of_instance(connection, instance.row, image_uplinks));
  if (uplinks.empty()) return false;
  for (const std::string& uplink : uplinks) {
    GW_TRY(const auto verified,
           connection.integer(
               core::cat("SELECT 1 FROM dicom_delivery WHERE instance = ? AND uplink = ? AND ",
                         kIsProven),
               instance.row, uplink));
    if (!verified) return false;
  }
  return true;
}

core::Status note_evicted_study(Connection& connection, const crypto::Audit& audit,
                                const std::string& study_uid, std::uint64_t instances,
                                core::Wall now) {
  GW_CHECK(
      connection.run("UPDATE dicom_study SET evicted_at = ?1 WHERE study_uid = ?2 AND NOT EXISTS"
                     " (SELECT 1 FROM dicom_instance WHERE study_uid = ?2 AND state <> 'evicted')",
                     core::to_instant(now), study_uid));
  GW_TRY(const TrailedStudy study, trail_study(connection, study_uid));
  return audit.append(connection, {.at = now,
                                   .actor = "retention",
                                   .action = "evict",
                                   .resource = study.resource,
                                   .patient = study.patient,
                                   .source = "local",
                                   .outcome = core::cat(instances, " instances evicted")});
}

}  // namespace

core::Result<std::vector<HeldStudy>> held_studies(Connection& connection, const Asking& asking,
                                                  const std::string& received_before, int limit,
                                                  StudyCursor& cursor) {
  GW_TRY(std::vector<HeldStudy> studies, next_studies(connection, received_before, limit, cursor));
  if (studies.empty() && !cursor.is_past_fetched) {
    cursor = StudyCursor();
    cursor.is_past_fetched = true;
    GW_TRY(studies, next_studies(connection, received_before, limit, cursor));
  }
  for (HeldStudy& study : studies) GW_CHECK(add_instances(connection, asking, study));
  return studies;
}

core::Result<Evicted> evict(Holdings& holdings, const core::Clock& clock,
                            const std::vector<std::int64_t>& rows) {
  std::vector<Leaving> instances;
  for (const std::int64_t row : rows) {
    GW_TRY(auto found, holdings.database().read_value<std::optional<Leaving>>(
                           [row](Connection& connection) { return leaving(connection, row); }));
    if (!found) continue;
    if (found->digest.empty()) {
      auto digest = data_set_digest(holdings.objects(), found->object_id, found->data_set_offset);
      if (!digest.ok()) {
        // The scrub finds out what is wrong with it; until then it stays.
        core::log_warn("retention", digest.error().message());
        continue;
      }
      found->digest = std::move(*digest);
    }
    instances.push_back(std::move(*found));
  }
  if (instances.empty()) return Evicted{};

  Evicted evicted;
  const core::Wall now = clock.wall();
  const auto& image_uplinks = holdings.options().ingest.image_uplinks;
  const auto mark = [&](Connection& connection) -> core::Status {
    evicted = {};
    std::map<std::string, std::uint64_t> studies;
    for (const Leaving& instance : instances) {
      GW_TRY(const bool goes, may_still_go(connection, instance, image_uplinks));
      if (!goes) continue;
      // Damaged or replaced since: another object, or none to shred.
      GW_CHECK(
          connection.run("UPDATE dicom_instance SET state = 'evicted', digest = ?"
                         " WHERE row = ? AND state = 'held' AND object_id = ?",
                         instance.digest, instance.row, instance.object_id));
      if (connection.changes() == 0) continue;
      GW_CHECK(doom_object(connection, instance.object_id));
      ++studies[instance.study_uid];
      ++evicted.instances;
      evicted.bytes += instance.bytes;
    }
    for (const auto& [study_uid, count] : studies) {
      GW_CHECK(note_evicted_study(connection, holdings.audit(), study_uid, count, now));
    }
    return {};
  };
  GW_CHECK(holdings.database().write(mark));
  return evicted;
}

}  // namespace gateway::sync
