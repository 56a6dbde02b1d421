// Whose study is this? CLINICAL.md "Identity" as code: an identifier is (issuer, value); a match by
// id whose name, birth date or sex disagrees is disputed and waits for a person; a missing id is
// unassigned; nothing is guessed or merged.
#pragma once

#include <span>
#include <string>

#include "core/json.h"
#include "core/patient_text.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/imaging.h"

namespace gateway::sync {

struct StudyIdentity {
  std::string state;    // linked, provisional, unassigned, disputed
  std::string reason;   // for a person; empty for linked and provisional. No patient data.
  std::string patient;  // id of the Patient; empty unless linked or provisional
  std::string
      service_request;  // the order whose worklist step gave this Study Instance UID; may be empty
};

/// An id and who issued it, as a FHIR system.
struct PatientId {
  std::string system;
  std::string value;
  bool operator==(const PatientId&) const = default;
};

/// What is said of a person beside the ids, in DICOM's forms; empty: nothing.
struct PersonFacts {
  core::PatientText name;        // PN
  core::PatientText birth_date;  // DA
  core::PatientText sex;         // M, F, O
};

/// Whose ids these are. Several patients, or one whose name, birth date or sex disagree: disputed.
/// No id: unassigned. Nobody known: provisional, with no patient yet.
core::Result<StudyIdentity> match_patient(crypto::Connection& connection,
                                          std::span<const PatientId> ids, const PersonFacts& facts);

/// Whose order, or ordered specimen, carries one of these identifiers, and whether the facts agree.
/// Nobody known: unassigned. Several patients: disputed.
core::Result<StudyIdentity> match_carrier(crypto::Connection& connection,
                                          std::span<const PatientId> carriers,
                                          const PersonFacts& facts);

/// The FHIR system of a patient id: the data set's issuer where it names one, else the configured
/// default.
std::string patient_id_system(std::string_view issuer_text, std::string_view default_system);

/// Decides from the replica and the worklist; "provisional" with an empty patient means: make one
/// with provisional_patient().
core::Result<StudyIdentity> decide_identity(crypto::Connection& connection,
                                            const InstanceFacts& facts,
                                            std::string_view default_system);

/// Of images whose patient a person named: linked to that one. Code::invalid when name, birth date
/// or sex disagree, Code::not_found when there is no such Patient.
core::Result<StudyIdentity> identity_named_by_person(crypto::Connection& connection,
                                                     const InstanceFacts& facts,
                                                     const std::string& patient);

/// The Patient to register for an id nobody knows yet.
core::Json provisional_patient(const std::string& id, const InstanceFacts& facts,
                               std::string_view default_system);

}  // namespace gateway::sync
