#include "sync/pins.h"

#include "core/text.h"

namespace gateway::sync {

core::Status pin_study(Holdings& holdings, const core::Clock& clock, const std::string& study_uid,
                       bool pinned) {
  return holdings.database().write([&](crypto::Connection& connection) -> core::Status {
    GW_TRY(
        const auto id,
        connection.text("SELECT imaging_study_id FROM dicom_study WHERE study_uid = ?", study_uid));
    if (!id) {
      return core::Error(core::Code::not_found,
                         "no study of that UID is known; see clinic-gateway --json studies");
    }
    GW_CHECK(
        connection.run("UPDATE dicom_study SET pinned = ? WHERE study_uid = ?", pinned, study_uid));
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = "operator",
                                                .action = pinned ? "pin" : "unpin",
                                                .resource = core::cat("ImagingStudy/", *id),
                                                .patient = "",
                                                .source = "local",
                                                .outcome = "success"});
  });
}

}  // namespace gateway::sync
