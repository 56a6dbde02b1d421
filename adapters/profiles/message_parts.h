// What every protocol with results tells of whose they are and what they were measured on: the
// patient, the specimen, the orders of a specimen, who measured, how certain a report is. Pure.
#pragma once

#include <string>
#include <string_view>

#include "adapters/mapping/device_profile.h"
#include "adapters/mapping/fhir_values.h"
#include "core/json.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::profiles {

/// M, F, O, male, female, other, in any case, as FHIR says it; empty: none of them.
std::string gender_of(std::string_view sent);

/// A patient as a device names one.
struct ToldPatient {
  std::string id;      // of the site's patient_id_issuer; empty: none
  core::Json name;     // HumanName; null: none
  std::string gender;  // FHIR's
  std::string born;    // FHIR date
};
/// Fills ids, facts and draft.
void tell_patient(const mapping::DeviceProfile& site, ToldPatient told,
                  sync::MessagePatient& patient);

struct ToldSpecimen {
  std::string id;
  std::string kind;  // as sent; may be empty
  mapping::FhirTime collected;
};
/// Appends the Specimen and answers the reference to it; empty without an id. Where the site says
/// whose ids these are, the specimen's patient is known by them.
std::string add_specimen(const mapping::DeviceProfile& site, const ToldSpecimen& told,
                         sync::IncomingMessage& out);
/// References to the orders that carry the specimen's id; null where the site says of none.
core::Json orders_of_specimen(const mapping::DeviceProfile& site, std::string_view specimen_id);

/// Observation.performer of an operator the device names; null: none is named.
core::Json performer_of(std::string_view device, const std::string& operator_id);

/// The status of a report on the drafts from `first` on: not more than of the least certain.
std::string report_status(const sync::IncomingMessage& out, std::size_t first);

}  // namespace gateway::adapters::profiles
