#include "sync/patient_trail.h"

#include <cstdint>
#include <map>

#include "core/text.h"
#include "sync/fhir/resource_rules.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::cat;
using crypto::Connection;

struct Subject {
  std::string kind;
  std::string name;
};

core::Result<Subject> subject_of(Connection& connection, std::int64_t number) {
  GW_TRY(auto rows, connection.query("SELECT kind, subject FROM outbox WHERE number = ?", number));
  GW_TRY(const bool found, rows.next());
  if (!found) return Subject();
  return Subject{std::string(rows.text(0)), std::string(rows.text(1))};
}

core::Status append(Connection& connection, const crypto::Audit& audit, const std::string& uplink,
                    core::Wall now, const TrailedStudy& about, std::string outcome) {
  return audit.append(connection, {.at = now,
                                   .actor = cat("uplink:", uplink),
                                   .action = "send",
                                   .resource = about.resource,
                                   .patient = about.patient,
                                   .source = "local",
                                   .outcome = std::move(outcome)});
}

core::Status trail_resource(Connection& connection, const crypto::Audit& audit,
                            const std::string& uplink, core::Wall now, const std::string& name) {
  TrailedStudy about{name, {}};
  if (const auto key = parse_reference(name)) {
    GW_TRY(const auto held, read_resource(connection, *key));
    if (held) about.patient = patient_of(held->body);
  }
  return append(connection, audit, uplink, now, about, "success");
}

}  // namespace

core::Result<TrailedStudy> trail_study(Connection& connection, std::string_view study_uid) {
  GW_TRY(auto rows, connection.query("SELECT imaging_study_id, patient FROM dicom_study"
                                     " WHERE study_uid = ?",
                                     study_uid));
  GW_TRY(const bool found, rows.next());
  if (!found) {
    return core::Error(core::Code::not_found,
                       "no study of that UID is known; see clinic-gateway --json studies");
  }
  TrailedStudy study{cat("ImagingStudy/", rows.text(0)), {}};
  if (!rows.text(1).empty()) study.patient = cat("Patient/", rows.text(1));
  return study;
}

core::Status trail_sent(Connection& connection, const crypto::Audit& audit,
                        const std::string& uplink, const std::vector<Verdict>& verdicts,
                        core::Wall now) {
  std::map<std::string, std::int64_t> instances;  // by Study Instance UID
  for (const Verdict& verdict : verdicts) {
    if (verdict.what != Verdict::What::done) continue;
    GW_TRY(const Subject subject, subject_of(connection, verdict.number));
    if (subject.kind == "instance") {
      GW_TRY(const auto study,
             connection.text("SELECT study_uid FROM dicom_instance WHERE row = CAST(? AS INTEGER)",
                             subject.name));
      if (study) ++instances[*study];
    } else if (!subject.name.empty()) {
      GW_CHECK(trail_resource(connection, audit, uplink, now, subject.name));
    }
  }
  for (const auto& [study_uid, count] : instances) {
    GW_TRY(const TrailedStudy study, trail_study(connection, study_uid));
    GW_CHECK(append(connection, audit, uplink, now, study, cat(count, " instances")));
  }
  return {};
}

}  // namespace gateway::sync
