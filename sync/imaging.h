// What the gateway knows of a DICOM instance, series and study beside the sealed bytes, and the
// FHIR ImagingStudy made of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "crypto/objects.h"

namespace gateway::sync {

/// Attributes of one instance, decoded to UTF-8, otherwise as sent (no trimming beyond DICOM
/// padding, no conversion). Empty: absent.
struct InstanceFacts {
  std::string sop_class_uid;        // (0008,0016)
  std::string sop_instance_uid;     // (0008,0018)
  std::string study_instance_uid;   // (0020,000D)
  std::string series_instance_uid;  // (0020,000E)
  std::string transfer_syntax_uid;
  std::string patient_id;           // (0010,0020)
  std::string patient_id_issuer;    // (0010,0021)
  std::string patient_name;         // (0010,0010), DICOM PN form
  std::string birth_date;           // (0010,0030), DA
  std::string sex;                  // (0010,0040)
  std::string accession_number;     // (0008,0050)
  std::string study_id;             // (0020,0010)
  std::string study_date;           // (0008,0020)
  std::string study_time;           // (0008,0030)
  std::string study_description;    // (0008,1030)
  std::string referring_physician;  // (0008,0090)
  std::string modality;             // (0008,0060)
  std::string series_number;        // (0020,0011)
  std::string series_description;   // (0008,103E)
  std::string body_part;            // (0018,0015)
  std::string series_date;          // (0008,0021)
  std::string series_time;          // (0008,0031)
  std::string instance_number;      // (0020,0013)
  std::string number_of_frames;     // (0028,0008)
};

/// One received instance.
struct ReceivedInstance {
  InstanceFacts facts;
  crypto::SealedObject object;  // a DICOM Part 10 file: preamble, File Meta, data set as received
  std::uint64_t data_set_offset = 0;  // where the data set begins in the object
  std::string calling_ae_title;
  std::string called_ae_title;
  std::string peer_address;
  /// Of an import from media: the id of the Patient a person said it is of. Its own ids are another
  /// site's and say nothing here. Empty: received from a device.
  std::string imported_for = {};
  /// Of an object found on the disk whose bytes a PACS gave out: the uplink they came by. Empty:
  /// the clinic made it.
  std::string fetched_from = {};
};

enum class StoreOutcome {
  stored,      // new
  repeated,    // the same SOP Instance UID with the same bytes is held already: success, nothing
               // stored
  other_copy,  // the same UID with other bytes: kept beside the first and flagged for a person
};

/// The id of a study's ImagingStudy: a stable_id() of the Study Instance UID, so that it is the
/// same again after the index was rebuilt and the hospital gets no second one.
std::string imaging_study_id_of(std::string_view study_uid);

/// FHIR R4 ImagingStudy of everything held of the study (R4 ImagingStudy; endpoint-free). Its
/// subject is the linked Patient, or a display-only reference while identity is unassigned or
/// disputed: never a guess.
core::Result<core::Json> imaging_study_resource(crypto::Connection& connection,
                                                const std::string& imaging_study_id,
                                                std::string_view zone);

}  // namespace gateway::sync
