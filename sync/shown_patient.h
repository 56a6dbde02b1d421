// Whose a study is shown to be: as its images say, but where the Patient it is linked to says
// otherwise by now. A correction of identity shows everywhere, with the stored object untouched
// (CLINICAL.md, Identity). Inside the caller's snapshot.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

struct ShownPatient {
  std::string name;  // PN, UTF-8
  std::string id;
  std::string birth_date;  // DA
  std::string sex;
  bool is_corrected = false;  // something differs from what the images say, or they do not say it
  bool disagrees = false;     // what the images say is another's by now
};

/// `sent` as the images have it, `patient` the id of the Patient, empty: nobody yet. What the
/// Patient leaves out is unchanged, and so is a name that is only written differently; a patient
/// who was merged is shown as the one who stays.
core::Result<ShownPatient> shown_patient(crypto::Connection& connection, ShownPatient sent,
                                         const std::string& patient, std::string_view own_issuer);

/// The identifier a modality shows: of the clinic's own issuer where the patient has one, else the
/// medical record's, else any that is not old; null: none.
const core::Json* shown_identifier(const core::Json& patient, std::string_view own_issuer);

}  // namespace gateway::sync
