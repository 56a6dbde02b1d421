#include "sync/hurried_images.h"

#include <cstdint>

namespace gateway::sync {

core::Status hurry_images(crypto::Connection& connection, const std::string& service_request,
                          Turn turn) {
  if (turn == Turn::routine || service_request.empty()) return {};
  const auto number = static_cast<std::int64_t>(turn);
  GW_TRY(const auto has_studies,
         connection.integer("SELECT 1 FROM dicom_study WHERE service_request <> ''"
                            " AND service_request = ? LIMIT 1",
                            service_request));
  if (!has_studies) return {};
  GW_CHECK(connection.run(
      "UPDATE outbox SET turn = ?1 WHERE turn > ?1 AND kind = 'instance' AND subject IN"
      " (SELECT CAST(i.row AS TEXT) FROM dicom_study s JOIN dicom_instance i"
      " ON i.study_uid = s.study_uid WHERE s.service_request <> '' AND s.service_request = ?2)",
      number, service_request));
  return connection.run(
      "UPDATE outbox SET turn = ?1 WHERE turn > ?1 AND kind = 'resource' AND subject IN"
      " (SELECT 'ImagingStudy/' || s.imaging_study_id FROM dicom_study s"
      " WHERE s.service_request <> '' AND s.service_request = ?2)",
      number, service_request);
}

}  // namespace gateway::sync
