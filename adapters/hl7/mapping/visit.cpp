// PV1 of ADT to Encounter (v2-to-FHIR IG, PV1[Encounter], Event[EncounterStatus]).
#include <algorithm>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

Json encounter_class(const Segment& visit) {
  const std::string sent = visit.field(2).first();
  const std::string code = code_of(kEncounterClass, sent);
  if (!code.empty()) {
    return Json::object(
        {{"system", "http://terminology.hl7.org/CodeSystem/v3-ActCode"}, {"code", code}});
  }
  return Json::object({{"system", "http://terminology.hl7.org/CodeSystem/v2-0004"},
                       {"code", sent.empty() ? "U" : sent}});
}

void add_participants(Mapping& mapping, const Segment& visit, Json& participants) {
  struct Role {
    std::size_t field;
    const char* code;
  };
  for (const Role role : {Role{7, "ATND"}, Role{8, "REF"}, Role{9, "CON"}, Role{17, "ADM"}}) {
    for (std::size_t i = 0; i < visit.field(role.field).repetitions(); ++i) {
      Json person = practitioner_reference(mapping, visit.field(role.field).repetition(i));
      if (person.is_null()) continue;
      Json coding =
          Json::object({{"system", "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"},
                        {"code", role.code}});
      Json type = Json::object({{"coding", Json::array({coding})}});
      participants.add(
          Json::object({{"type", Json::array({type})}, {"individual", std::move(person)}}));
    }
  }
}

}  // namespace

void map_visit(Mapping& mapping, std::string_view event) {
  const Segment* visit = mapping.message().find("PV1");
  if (visit == nullptr || event == "A28" || event == "A31" || event == "A40") return;
  Json number = cx_identifier(mapping, visit->field(19));
  // N: not applicable, there only because the standard asks for the segment.
  if (number.is_null() && visit->field(2).first() == "N") return;
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Encounter"}});
  const FhirTime begin = fhir_time(mapping, visit->field(44));
  if (!number.is_null()) {
    // A number without an issuer is looked for among this patient's only, by the seed.
    if (!number["system"].text().empty()) draft.known_as = business_ids(Json::array({number}));
    body.set("identifier", Json::array({number}));
  }
  std::string status = code_of(kEncounterStatus, event);
  if (status.empty()) draft.status_if_new = "unknown";  // A08: what it was, an update does not say
  set_if(body, "status", std::move(status));
  body.set("class", encounter_class(*visit));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  Json participants = Json::array();
  add_participants(mapping, *visit, participants);
  set_if(body, "participant", std::move(participants));
  Json period = Json::object();
  set_time(period, "start", begin);
  set_time(period, "end", fhir_time(mapping, visit->field(45)));
  set_if(body, "period", std::move(period));
  if (Json place = location_reference(visit->field(3)); !place.is_null())
    body.set("location", Json::array({Json::object({{"location", std::move(place)}})}));
  draft.seed =
      cat("encounter|", number.is_null() ? visit->field(44).raw() : visit->field(19).raw());
  mapping.add(std::move(draft));
}

}  // namespace gateway::adapters::hl7
