#include "adapters/hl7/mapping/order_parts.h"

#include "adapters/hl7/mapping/datatypes.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {

using core::cat;
using core::Json;

Piece order_number(const OrderGroup& group, std::size_t number) {
  if (group.obr != nullptr && group.obr->field(number).has_value()) return group.obr->field(number);
  return group.orc == nullptr ? Piece() : group.orc->field(number);
}

Json order_identifiers(Mapping& mapping, const OrderGroup& group) {
  Json all = Json::array();
  for (const auto& [number, type] : {std::pair{2U, "PLAC"}, std::pair{3U, "FILL"}}) {
    Json one = ei_identifier(mapping, order_number(group, number), type);
    if (!one.is_null()) all.add(std::move(one));
  }
  return all.size() == 0 ? Json() : all;
}

Json placer_reference(Mapping& mapping, const OrderGroup& group) {
  Json identifier = ei_identifier(mapping, order_number(group, 2), "PLAC");
  if (identifier.is_null()) return {};
  Json made = Json::object({{"type", "ServiceRequest"}});
  made.set("identifier", std::move(identifier));
  return made;
}

std::string add_specimen(Mapping& mapping, const Segment& spm, std::string_view seed,
                         const Piece& seed_at) {
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Specimen"}});
  Json identifiers = Json::array();
  const Piece ids = spm.field(2);
  for (const auto& [number, type] : {std::pair{1U, "PLAC"}, std::pair{2U, "FILL"}}) {
    // EIP: each of the two is an EI written in subcomponents.
    const Piece part = ids.component(number);
    const std::string value = part.subcomponent(1).text();
    if (value.empty()) continue;
    const std::string base = cat("urn:clinic-gateway:device:", mapping.device().name);
    const std::string system =
        authority_system(part.subcomponent(2), part.subcomponent(3), part.subcomponent(4), base);
    identifiers.add(Json::object(
        {{"system", system.empty() ? cat(base, ":specimen-", type) : system}, {"value", value}}));
  }
  set_if(body, "identifier", identifiers);
  set_if(body, "type", codeable_concept(mapping, spm.field(4)));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  set_time(body, "receivedTime", fhir_time(mapping, spm.field(18)));
  Json collection = Json::object();
  const Piece collected = spm.field(17);
  if (collected.component(2).has_value()) {
    Json period = Json::object();
    set_time(period, "start", fhir_time(mapping, collected.component(1)));
    set_time(period, "end", fhir_time(mapping, collected.component(2)));
    set_if(collection, "collectedPeriod", std::move(period));
  } else {
    set_time(collection, "collectedDateTime", fhir_time(mapping, collected));
  }
  set_if(collection, "quantity",
         quantity(mapping, spm.field(12).component(1).text(), spm.field(12).component(2)));
  set_if(collection, "method", codeable_concept(mapping, spm.field(7)));
  set_if(collection, "bodySite", codeable_concept(mapping, spm.field(8)));
  set_if(body, "collection", std::move(collection));
  set_if(body, "condition", each_repetition(spm.field(24), [&](const Piece& one) {
           return codeable_concept(mapping, one);
         }));
  // A rack position or a number per day is no specimen of last week's: the order takes part.
  draft.seed = cat("specimen|", ids.raw(), "|", seed);
  draft.seed_at = seed_time(mapping, seed_at);
  return mapping.add(std::move(draft));
}

Json encounter_reference(Mapping& mapping) {
  const Segment* visit = mapping.message().find("PV1");
  if (visit == nullptr) return {};
  Json identifier = cx_identifier(mapping, visit->field(19));
  if (identifier.is_null()) return {};
  Json made = Json::object({{"type", "Encounter"}});
  made.set("identifier", std::move(identifier));
  return made;
}

Json interpreters(const Piece& field) {
  return each_repetition(field, [&](const Piece& one) {
    // NDL-1 is a CNN written in subcomponents.
    const Piece person = one.component(1);
    std::string display;
    for (const std::size_t number : {6U, 3U, 2U}) {
      const std::string part = person.subcomponent(number).text();
      if (!part.empty()) display += cat(display.empty() ? "" : " ", part);
    }
    if (display.empty()) display = person.subcomponent(1).text();
    if (display.empty()) return Json();
    Json made = Json::object({{"type", "Practitioner"}, {"display", display}});
    return made;
  });
}

Json annotations(const std::vector<const Segment*>& notes) {
  Json all = Json::array();
  for (const Segment* note : notes) {
    std::string text;
    for (std::size_t i = 0; i < note->field(3).repetitions(); ++i)
      text += cat(i == 0 ? "" : "\n", note->field(3).repetition(i).text());
    if (!text.empty()) all.add(Json::object({{"text", text}}));
  }
  return all.size() == 0 ? Json() : all;
}

Json report_notes(const std::vector<const Segment*>& notes) {
  Json all = Json::array();
  const Json made = annotations(notes);
  for (const Json& note : made.items()) {
    all.add(
        Json::object({{"url", "urn:clinic-gateway:extension:note"}, {"valueAnnotation", note}}));
  }
  return all.size() == 0 ? Json() : all;
}

}  // namespace gateway::adapters::hl7
