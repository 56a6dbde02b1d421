#include "sync/image_rows.h"

#include "sync/fhir/person_name.h"
#include "sync/routes.h"

namespace gateway::sync {

core::Status insert_study(crypto::Connection& connection, const InstanceFacts& facts,
                          const StudyIdentity& identity, const std::string& now) {
  return connection.run(
      "INSERT INTO dicom_study (study_uid, imaging_study_id, identity, identity_reason, patient, "
      "service_request,"
      " patient_id, patient_name, birth_date, sex, accession_number, study_id, study_date, "
      "study_time,"
      " description, referring_physician, received_at, name_key)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      facts.study_instance_uid, imaging_study_id_of(facts.study_instance_uid), identity.state,
      identity.reason, identity.patient, identity.service_request, facts.patient_id,
      facts.patient_name, facts.birth_date, facts.sex, facts.accession_number, facts.study_id,
      facts.study_date, facts.study_time, facts.study_description, facts.referring_physician, now,
      fhir::pn_search_key(facts.patient_name.substr(0, facts.patient_name.find('='))));
}

core::Status insert_series(crypto::Connection& connection, const InstanceFacts& facts) {
  return connection.run(
      "INSERT OR IGNORE INTO dicom_series (study_uid, series_uid, modality, number, description, "
      "body_part,"
      " series_date, series_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      facts.study_instance_uid, facts.series_instance_uid, facts.modality, facts.series_number,
      facts.series_description, facts.body_part, facts.series_date, facts.series_time);
}

core::Result<std::int64_t> insert_instance(crypto::Connection& connection,
                                           const ReceivedInstance& instance, std::int64_t copy,
                                           const std::string& now) {
  const InstanceFacts& facts = instance.facts;
  GW_CHECK(connection.run(
      "INSERT INTO dicom_instance (sop_instance_uid, copy, study_uid, series_uid, "
      "sop_class_uid,"
      " transfer_syntax_uid, instance_number, number_of_frames, object_id, size, data_set_offset,"
      " calling_ae_title, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      facts.sop_instance_uid, copy, facts.study_instance_uid, facts.series_instance_uid,
      facts.sop_class_uid, facts.transfer_syntax_uid, facts.instance_number, facts.number_of_frames,
      instance.object.id, instance.object.size, instance.data_set_offset, instance.calling_ae_title,
      now));
  return connection.last_row();
}

core::Status keep_fetched(crypto::Connection& connection, std::int64_t row,
                          const std::string& uplink, std::string_view proof,
                          const std::string& now) {
  GW_CHECK(connection.run("UPDATE dicom_instance SET fetched_from = ? WHERE row = ?", uplink, row));
  return connection.run(
      "INSERT INTO dicom_delivery (instance, uplink, proof, at) VALUES (?, ?, ?, ?)"
      " ON CONFLICT (instance, uplink) DO UPDATE SET proof = excluded.proof, at = excluded.at",
      row, uplink, proof, now);
}

core::Status route_home(crypto::Connection& connection, std::int64_t row,
                        const std::string& uplink) {
  Route home;
  home.uplinks = {uplink};
  return keep_route(connection, row, home);
}

core::Status note_fetched_study(crypto::Connection& connection, const std::string& study_uid) {
  return connection.run(
      "UPDATE dicom_study SET is_fetched = 1, is_made_here = 0 WHERE study_uid = ?", study_uid);
}

}  // namespace gateway::sync
