// What is held of studies, as a DICOM query asks for it: page by page, so that no answer holds up
// the database or fills the memory. Only the first copy of each instance; a study whose images are
// held back (a wrong worklist entry, sync/performed_step.h) is not there, nor is what was withdrawn
// (sync/rejection.h). Inside the caller's
// snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/shown_patient.h"

namespace gateway::sync {

struct ArchiveStudy {
  std::string study_uid;
  std::string accession_number;
  std::string study_id;
  std::string study_date;  // DA
  std::string study_time;  // TM
  std::string description;
  std::string referring_physician;
  ShownPatient patient;
  std::string linked_patient;  // id of the Patient; empty: nobody yet
  std::string modalities;      // with \ in between
  std::string sop_classes;     // the same
  std::int64_t series = 0;
  std::int64_t instances = 0;
  std::int64_t held = 0;  // of these; the others' bytes went by retention, or are damaged
};

struct ArchiveSeries {
  std::string series_uid;
  std::string modality;
  std::string number;
  std::string description;
  std::string body_part;
  std::string series_date;
  std::string series_time;
  std::int64_t instances = 0;
  std::int64_t held = 0;
};

struct ArchiveInstance {
  std::int64_t row = 0;
  std::string study_uid;
  std::string series_uid;
  std::string sop_instance_uid;
  std::string sop_class_uid;
  std::string transfer_syntax_uid;
  std::string instance_number;
  std::string number_of_frames;
  std::string object_id;
  std::uint64_t data_set_offset = 0;  // in the object
  std::uint64_t data_set_bytes = 0;
  bool is_held = false;
};

/// By what is indexed; empty: any.
struct ArchiveSelection {
  std::string study_uid;
  std::string accession_number;
};

/// Studies behind `after` (a Study Instance UID), in the order of their UIDs, at most `limit`.
core::Result<std::vector<ArchiveStudy>> archive_studies(crypto::Connection& connection,
                                                        const ArchiveSelection& selection,
                                                        const std::string& after, int limit,
                                                        std::string_view own_issuer);
core::Result<std::vector<ArchiveSeries>> archive_series(crypto::Connection& connection,
                                                        const std::string& study_uid);
/// Instances of a series behind row `after`, in the order they came, at most `limit`.
core::Result<std::vector<ArchiveInstance>> archive_instances(crypto::Connection& connection,
                                                             const std::string& study_uid,
                                                             const std::string& series_uid,
                                                             std::int64_t after, int limit);

/// The same of a whole study.
core::Result<std::vector<ArchiveInstance>> archive_study_instances(crypto::Connection& connection,
                                                                   const std::string& study_uid,
                                                                   std::int64_t after, int limit);

/// One class of objects and how they are encoded.
struct ArchiveSyntax {
  std::string sop_class_uid;
  std::string transfer_syntax_uid;
  bool operator<(const ArchiveSyntax& other) const {
    return std::tie(sop_class_uid, transfer_syntax_uid) <
           std::tie(other.sop_class_uid, other.transfer_syntax_uid);
  }
};

/// What a retrieval asks for, by its finest list that is not empty; series within their studies
/// where those are named too.
struct ArchiveWish {
  std::string patient_id;  // as shown
  std::vector<std::string> study_uids;
  std::vector<std::string> series_uids;
  std::vector<std::string> sop_instance_uids;
};
struct WishedInstance {
  std::int64_t row = 0;
  std::string sop_instance_uid;
  ArchiveSyntax syntax;
  std::string study_uid;
  bool is_held = false;
};
/// Code::invalid when there are more than `most`.
core::Result<std::vector<WishedInstance>> wished_instances(crypto::Connection& connection,
                                                           const ArchiveWish& wish,
                                                           std::size_t most,
                                                           std::string_view own_issuer);
/// One of them as it is now, and whose it is shown to be. Code::not_found: it has gone.
struct RetrievedInstance {
  ArchiveInstance instance;
  ShownPatient patient;
};
core::Result<RetrievedInstance> retrieved_instance(crypto::Connection& connection, std::int64_t row,
                                                   std::string_view own_issuer);

/// The same for an uplink, where a person may have let go what queries do not show.
core::Result<RetrievedInstance> outgoing_instance(crypto::Connection& connection, std::int64_t row,
                                                  std::string_view own_issuer);

/// How the objects of each class that came lately were encoded, the most frequent first.
core::Result<std::vector<ArchiveSyntax>> usual_syntaxes(crypto::Connection& connection);

}  // namespace gateway::sync
