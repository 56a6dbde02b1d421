// Performed procedure steps: what a modality says it is doing and has done (DICOM PS3.3 C.4.13 to
// C.4.16, PS3.4 F.7). They move the worklist and become a FHIR Procedure; a completed step is not a
// completed order, so ServiceRequests are left alone (CLINICAL.md). Inside the caller's
// transaction.
//
// A step's body is JSON, texts in UTF-8, absent members unknown:
//   {"status","stepId","stationAeTitle","stationName","location","startDate","startTime","endDate",
//    "endTime","description","modality","studyId","patientName","patientId","patientIdIssuer",
//    "birthDate","sex","code":{"value","scheme","meaning"},"reason":{"value","scheme","meaning"},
//    "scheduled":[{"studyUid","accession","procedureId","stepId"}],
//    "series":[{"uid","protocol","description","instances":[{"class","uid"}]}],
//    "dose":{"areaProduct","exposures","fluoroscopySeconds"}}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

struct PerformedStepMessage {
  bool is_new = false;           // N-CREATE, else N-SET
  std::string sop_instance_uid;  // never empty
  core::Json attributes;         // members of a body, those the message carries
  std::string remarks;           // what the adapter had to be lenient about; no patient data
  std::string transfer_syntax_uid;
  std::string data_set;  // as it came
  std::string calling_ae_title;
  std::string peer_address;
};

enum class StepOutcome {
  recorded,
  repeated,  // an N-CREATE that came before with the same bytes, its answer perhaps lost
  exists,    // another step has this UID
  unknown,   // N-SET of a step nobody created here
  ended,     // N-SET after COMPLETED or DISCONTINUED
  not_a_status,
};

struct StepRecording {
  StepOutcome outcome = StepOutcome::recorded;
  std::string procedure;  // Procedure/<id> to be sent; empty: nothing changed
  std::string patient;    // Patient/<id> it is about; empty: not linked
};

struct StepOptions {
  std::string patient_id_issuer;
  std::string time_zone;
  std::vector<std::string> fhir_uplinks;
};

/// Checks the message against the step's state and, for `recorded`, stores it, moves the worklist,
/// holds images of a wrong worklist entry back, writes the Procedure and queues it.
core::Result<StepRecording> record_performed_step(crypto::Connection& connection,
                                                  const PerformedStepMessage& message,
                                                  const StepOptions& options,
                                                  const std::string& now_instant);

/// Why no image of the study may leave for now; empty: nothing is against it.
core::Result<std::string> hold_of_study(crypto::Connection& connection, std::string_view study_uid);

/// What the modality's own lists say of a study.
struct StepProgress {
  std::int64_t steps = 0;   // 0: no modality told anything
  bool is_running = false;  // at least one is still in progress
  std::int64_t listed = 0;  // instances
  std::int64_t held = 0;    // of those
};
core::Result<StepProgress> step_progress(crypto::Connection& connection,
                                         std::string_view study_uid);

}  // namespace gateway::sync
