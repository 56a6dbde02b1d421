#include "adapters/hl7/mapping/datatypes.h"

namespace gateway::adapters::hl7 {

FhirTime fhir_time(const Mapping& mapping, const Piece& field) {
  return mapping::fhir_time(field.component(1).text(), mapping.device().time_zone);
}

std::string utc_instant(const Mapping& mapping, const Piece& field) {
  return mapping::utc_instant(field.component(1).text(), mapping.device().time_zone);
}

core::Wall seed_time(const Mapping& mapping, const Piece& field) {
  return mapping::seed_time(field.component(1).text(), mapping.device().time_zone);
}

}  // namespace gateway::adapters::hl7
