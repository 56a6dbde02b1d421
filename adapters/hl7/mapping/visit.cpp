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
  const std::string sent = to_upper_letter(visit.field(2).first());
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

bool begins_visit(std::string_view event) {
  return event == "A01" || event == "A04" || event == "A05";
}

/// Which of the patient's visits it is. False: nothing tells, and an update may be without.
bool name_visit(Mapping& mapping, const Segment& visit, std::string_view event, const Json& number,
                sync::Draft& draft) {
  if (!number.is_null()) {
    // A number without an issuer is looked for among this patient's only, by the seed.
    if (!number["system"].text().empty()) draft.known_as = business_ids(Json::array({number}));
    const bool is_usual = visit.field(19).has_value();
    draft.seed =
        cat("encounter|", is_usual ? "" : "alternate|", visit.field(is_usual ? 19 : 50).raw());
    return true;
  }
  const Segment* pid = mapping.message().find("PID");
  if (const Piece account = pid == nullptr ? Piece() : pid->field(18); !account.first().empty()) {
    draft.seed =
        cat("encounter|account|", account.component(1).raw(), "|", account.component(4).raw());
    return true;
  }
  const Piece begin = visit.field(44);
  if (begin.has_value() || !begins_visit(event)) {
    // Without a time only the open visit is meant, or none.
    const Segment& header = mapping.message().header();
    draft.seed = begin.has_value() ? cat("encounter|", begin.raw())
                                   : cat("encounter|unnamed|", header.field(7).raw(), "|",
                                         header.field(10).raw());
    draft.is_of_open_visit = draft.is_edit = !begins_visit(event) && event != "A08";
    return begin.has_value() || draft.is_of_open_visit;
  }
  // Each admission is a visit, and only the same one sent again is the same.
  const Segment* evn = mapping.message().find("EVN");
  std::string_view at = mapping.message().header().field(7).raw();
  for (const std::size_t place : {2U, 6U}) {
    if (evn != nullptr && evn->field(place).has_value()) at = evn->field(place).raw();
  }
  draft.seed = cat("encounter|begun ", at);
  return true;
}

}  // namespace

void map_visit(Mapping& mapping, std::string_view event) {
  const Segment* visit = mapping.message().find("PV1");
  if (visit == nullptr || event == "A28" || event == "A31" || event == "A40") return;
  Json number = cx_identifier(mapping, visit->field(19));
  if (number.is_null()) number = cx_identifier(mapping, visit->field(50));
  // N: not applicable, there only because the standard asks for the segment.
  if (number.is_null() && to_upper_letter(visit->field(2).first()) == "N") return;
  sync::Draft draft;
  if (!name_visit(mapping, *visit, event, number, draft)) return mapping.not_mapped(*visit);
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Encounter"}});
  const FhirTime begin = fhir_time(mapping, visit->field(44));
  if (!number.is_null()) body.set("identifier", Json::array({number}));
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
  mapping.add(std::move(draft));
}

}  // namespace gateway::adapters::hl7
