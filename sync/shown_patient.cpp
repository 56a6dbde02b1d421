#include "sync/shown_patient.h"

#include "core/civil_time.h"
#include "sync/fhir/person_name.h"
#include "sync/merged_patients.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

bool has_identifier(const Json& patient, std::string_view value) {
  for (const Json& identifier : patient["identifier"].items()) {
    if (identifier["use"].text() != "old" && identifier["value"].text() == value) return true;
  }
  return false;
}

void correct(ShownPatient& patient, std::string ShownPatient::*shown, std::string value) {
  std::string& sent = patient.*shown;
  if (value.empty() || value == sent) return;
  patient.is_corrected = true;
  patient.disagrees = patient.disagrees || !sent.empty();
  sent = std::move(value);
}

ShownPatient corrected(ShownPatient sent, const Json& patient, std::string_view own_issuer) {
  const std::string name = fhir::pn_from_human_names(patient["name"]);
  if (!fhir::names_agree(sent.name, name)) correct(sent, &ShownPatient::name, name);
  if (!has_identifier(patient, sent.id)) {
    const Json* identifier = shown_identifier(patient, own_issuer);
    if (identifier != nullptr)
      correct(sent, &ShownPatient::id, std::string((*identifier)["value"].text()));
  }
  correct(sent, &ShownPatient::birth_date, core::to_dicom_date(patient["birthDate"].text()));
  correct(sent, &ShownPatient::sex, fhir::sex_from_gender(patient["gender"].text()));
  return sent;
}

}  // namespace

const Json* shown_identifier(const Json& patient, std::string_view own_issuer) {
  const Json* chosen = nullptr;
  int best = -1;
  for (const Json& identifier : patient["identifier"].items()) {
    if (identifier["use"].text() == "old" || identifier["value"].text().empty()) continue;
    int rank = 0;
    if (identifier["type"]["coding"][0]["code"].text() == "MR") rank = 1;
    if (!own_issuer.empty() && identifier["system"].text() == own_issuer) rank = 2;
    if (rank > best) {
      best = rank;
      chosen = &identifier;
    }
  }
  return chosen;
}

core::Result<ShownPatient> shown_patient(Connection& connection, ShownPatient sent,
                                         const std::string& patient, std::string_view own_issuer) {
  if (patient.empty()) return sent;
  GW_TRY(const auto chain, replacements_of(connection, patient));
  GW_TRY(const auto held, read_resource(connection, {"Patient", chain.back()}));
  // Replaced by one who is not held, or in a ring: nobody knows whom to show instead.
  if (!held || replaced_by(held->body)) return sent;
  return corrected(std::move(sent), held->body, own_issuer);
}

}  // namespace gateway::sync
