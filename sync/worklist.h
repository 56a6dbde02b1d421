// Scheduled procedure steps for modalities (DICOM PS3.4 K), made from the HIS's imaging orders
// (FHIR ServiceRequest + Patient) in the same transaction that brings them into the replica, so
// that a worklist answers while the link is down. Study Instance UID, accession number (SH, 16
// characters) and step id are fixed when the step is first made and never change.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// One step. Texts are UTF-8; names in DICOM PN form; dates DA, times TM in the site's zone. Empty:
/// unknown.
struct WorklistStep {
  std::string service_request_id;
  std::string step_id;                                              // (0040,0009) SH
  std::string study_instance_uid;                                   // (0020,000D)
  std::string accession_number;                                     // (0008,0050)
  std::string requested_procedure_id;                               // (0040,1001) SH
  std::string procedure_code, procedure_scheme, procedure_meaning;  // (0032,1064)
  std::string procedure_description;                                // (0032,1060), (0040,0007)
  std::string priority;                // (0040,1003): STAT, HIGH, ROUTINE
  std::string modality;                // (0008,0060)
  std::string station_ae_title;        // (0040,0001)
  std::string station_name;            // (0040,0010)
  std::string location;                // (0040,0011)
  std::string start_date, start_time;  // (0040,0002), (0040,0003)
  std::string performing_physician;    // (0040,0006)
  std::string referring_physician;     // (0008,0090)
  std::string requesting_physician;    // (0032,1032)
  std::string patient_name, patient_id, patient_id_issuer, birth_date, sex;
  std::string comments;  // (0040,0400)
  std::string status;    // (0040,0020): SCHEDULED, or STARTED once a modality said so
};

/// Coarse selection by what is indexed; the DICOM adapter matches the rest (PS3.4 C.2.2.2). Empty:
/// any. Dates inclusive, DA.
struct WorklistSelection {
  std::string date_from, date_to;
  std::string modality;
  std::string station_ae_title;
  std::string patient_id;
  std::string accession_number;
  std::string name;  // pn_search_key() of the alphabetic group, wildcards * and ? in it
};

struct WorklistOptions {
  std::string patient_id_issuer;   // FHIR system of the ids the clinic's modalities use
  std::string time_zone;           // IANA name of the site's zone
  std::string default_modality;    // for an order that names none; empty: "OT"
  std::string default_station_ae;  // for an order that names none
  std::string accession_prefix;    // of accession numbers we make where the HIS gives none
};

/// Steps of orders that are still to be done (ServiceRequest.status active, and no modality has
/// completed the step), in scheduled order; until `take` answers that it has enough (false).
core::Status find_worklist(crypto::Connection& connection, const WorklistSelection& selection,
                           const std::function<bool(WorklistStep)>& take);

/// Brings the steps of one order up to date from the replica; called where the replica changes. An
/// order that left "active" leaves the worklist but keeps its fixed UIDs.
core::Status refresh_worklist(crypto::Connection& connection, const std::string& service_request_id,
                              const WorklistOptions& options);
/// The same for every order of a person one of whose records changed (sync/merged_patients.h):
/// steps are named by the record that stays.
core::Status refresh_worklist_of_patient(crypto::Connection& connection,
                                         const std::string& patient_id,
                                         const WorklistOptions& options);

/// After a database was lost or an older one put back: step ids and accession numbers go on where
/// none was given before. Fewer than one a minute are given, so the minutes since 2000 are beyond
/// them; needs a clock that is not years behind.
core::Status skip_given_numbers(crypto::Connection& connection, core::Wall now);

}  // namespace gateway::sync
