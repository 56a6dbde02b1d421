#include "sync/pins.h"

#include "sync/patient_trail.h"

namespace gateway::sync {

core::Status pin_study(Holdings& holdings, const core::Clock& clock, const std::string& study_uid,
                       bool pinned) {
  return holdings.database().write([&](crypto::Connection& connection) -> core::Status {
    GW_TRY(const TrailedStudy study, trail_study(connection, study_uid));
    GW_CHECK(
        connection.run("UPDATE dicom_study SET pinned = ? WHERE study_uid = ?", pinned, study_uid));
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = "operator",
                                                .action = pinned ? "pin" : "unpin",
                                                .resource = study.resource,
                                                .patient = study.patient,
                                                .source = "local",
                                                .outcome = "success"});
  });
}

}  // namespace gateway::sync
