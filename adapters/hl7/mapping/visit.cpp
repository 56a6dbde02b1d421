// PV1 of ADT to Encounter (v2-to-FHIR IG, PV1[Encounter], Event[EncounterStatus]).
#include <algorithm>
#include <array>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/visit_details.h"
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

/// The visit's number: PV1-19, else PV1-50 where that is no number of the patient's.
struct VisitNumber {
  Json identifier;  // null: there is none
  std::string seed;
};

VisitNumber visit_number(Mapping& mapping, const Segment& visit) {
  Json number = cx_identifier(mapping, visit.field(19));
  if (!number.is_null()) return {std::move(number), cat("encounter|", visit.field(19).raw())};
  const Piece alternate = visit.field(50);
  const std::string type = alternate.component(5).text();
  constexpr std::array<std::string_view, 5> kPatients{"MR", "PI", "PT", "PN", "SS"};
  if (std::ranges::find(kPatients, type) != kPatients.end()) return {};
  number = cx_identifier(mapping, alternate);
  if (number.is_null()) return {};
  return {std::move(number), cat("encounter|alternate|", alternate.raw())};
}

/// Which of the patient's visits it is. False: nothing tells, and an update may be without.
bool name_visit(Mapping& mapping, const Segment& visit, std::string_view event,
                const VisitNumber& number, sync::Draft& draft) {
  const Piece begin = visit.field(44);
  // A visit may be numbered after its first message.
  if (begin.has_value()) draft.former_seed = cat("encounter|", begin.raw());
  if (!number.identifier.is_null()) {
    // A number without an issuer is looked for among this patient's only, by the seed.
    if (!number.identifier["system"].text().empty())
      draft.known_as = business_ids(Json::array({number.identifier}));
    draft.seed = number.seed;
    return true;
  }
  const Segment* pid = mapping.message().find("PID");
  if (const Piece account = pid == nullptr ? Piece() : pid->field(18); !account.first().empty()) {
    draft.seed =
        cat("encounter|account|", account.component(1).raw(), "|", account.component(4).raw());
    return true;
  }
  if (!begins_visit(event) && event != "A08")
    draft.visit = event == "A13" ? sync::VisitMeant::closed : sync::VisitMeant::open;
  if (begin.has_value()) {
    draft.seed = std::move(draft.former_seed);
    draft.former_seed.clear();
    return true;
  }
  if (!begins_visit(event)) {
    // Without a time only a visit that is held is meant, or none.
    const Segment& header = mapping.message().header();
    draft.seed = cat("encounter|unnamed|", header.field(7).raw(), "|", header.field(10).raw());
    draft.is_edit = true;
    return draft.visit != sync::VisitMeant::seeded;
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
  const VisitNumber number = visit_number(mapping, *visit);
  // N: not applicable, there only because the standard asks for the segment.
  if (number.identifier.is_null() && to_upper_letter(visit->field(2).first()) == "N") return;
  sync::Draft draft;
  if (!name_visit(mapping, *visit, event, number, draft)) return mapping.not_mapped(*visit);
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Encounter"}});
  const FhirTime begin = fhir_time(mapping, visit->field(44));
  if (!number.identifier.is_null()) body.set("identifier", Json::array({number.identifier}));
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
  // Who is there has not left: a discharge that is cancelled takes its end with it.
  if (visit->field(45).is_null() || body["status"].text() == "in-progress")
    draft.erased.emplace_back("period.end");
  if (Json place = location_reference(visit->field(3)); !place.is_null())
    body.set("location", Json::array({Json::object({{"location", std::move(place)}})}));
  set_visit_details(mapping, *visit, body);
  mapping.add(std::move(draft));
}

}  // namespace gateway::adapters::hl7
