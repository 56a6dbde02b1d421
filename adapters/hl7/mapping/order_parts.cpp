#include "adapters/hl7/mapping/order_parts.h"

#include "adapters/hl7/mapping/code_tables.h"
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

namespace {

std::string device_system(const Mapping& mapping) {
  return cat("urn:clinic-gateway:device:", mapping.device().name);
}

/// SPM-2: each of the EIP's two is an EI written in subcomponents.
Json specimen_identifiers(const Mapping& mapping, const Piece& ids) {
  Json identifiers = Json::array();
  for (const auto& [number, type] : {std::pair{1U, "PLAC"}, std::pair{2U, "FILL"}}) {
    const Piece part = ids.component(number);
    const std::string value = part.subcomponent(1).text();
    if (value.empty()) continue;
    const std::string base = device_system(mapping);
    const std::string system =
        authority_system(part.subcomponent(2), part.subcomponent(3), part.subcomponent(4), base);
    identifiers.add(Json::object(
        {{"system", system.empty() ? cat(base, ":specimen-", type) : system}, {"value", value}}));
  }
  return identifiers;
}

/// SPM-30, a CX whose issuer, where it names none, is not that of the patients.
Json accession_identifier(const Mapping& mapping, const Piece& field) {
  const std::string value = field.component(1).text();
  if (value.empty()) return {};
  const Piece authority = field.component(4);
  const std::string base = device_system(mapping);
  const std::string system = authority_system(authority.subcomponent(1), authority.subcomponent(2),
                                              authority.subcomponent(3), base);
  return Json::object(
      {{"system", system.empty() ? base + ":accession" : system}, {"value", value}});
}

void set_collected(const Mapping& mapping, const Piece& from, const Piece& until,
                   Json& collection) {
  if (until.has_value()) {
    set_if(collection, "collectedPeriod", period_of(mapping, from, until));
  } else {
    set_time(collection, "collectedDateTime", fhir_time(mapping, from));
  }
}

Json container_of(Mapping& mapping, const Segment& spm) {
  Json container = Json::object();
  set_if(container, "type", codeable_concept(mapping, spm.field(27)));
  set_if(container, "additiveCodeableConcept",
         codeable_concept(mapping, spm.field(6).repetition(0)));
  return container.size() == 0 ? Json() : Json::array({container});
}

Json note_of(const std::string& text) {
  return text.empty() ? Json() : Json::array({Json::object({{"text", text}})});
}

}  // namespace

std::string add_specimen(Mapping& mapping, const Segment& spm, const Segment* obr,
                         std::string_view seed, const Piece& seed_at) {
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Specimen"}});
  set_if(body, "identifier", specimen_identifiers(mapping, spm.field(2)));
  set_if(body, "accessionIdentifier", accession_identifier(mapping, spm.field(30)));
  set_if(body, "status", code_of(kSpecimenStatus, spm.field(20).first()));
  set_if(body, "type", codeable_concept(mapping, spm.field(4)));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  set_time(body, "receivedTime", fhir_time(mapping, spm.field(18)));
  Json collection = Json::object();
  if (obr != nullptr)
    set_if(collection, "collector", practitioner_reference(mapping, obr->field(10).repetition(0)));
  const Piece collected = spm.field(17);
  set_collected(mapping, collected.component(1), collected.component(2), collection);
  set_if(collection, "quantity", composite_quantity(mapping, spm.field(12)));
  set_if(collection, "method", codeable_concept(mapping, spm.field(7)));
  set_if(collection, "bodySite", codeable_concept(mapping, spm.field(8)));
  set_if(body, "collection", std::move(collection));
  set_if(body, "container", container_of(mapping, spm));
  set_if(body, "condition", each_repetition(spm.field(24), [&](const Piece& one) {
           return codeable_concept(mapping, one);
         }));
  set_if(body, "note", note_of(spm.field(14).text()));
  // A rack position or a number per day is no specimen of last week's: the order takes part.
  draft.seed = cat("specimen|", spm.field(2).raw(), "|", seed);
  draft.seed_at = seed_time(mapping, seed_at);
  return mapping.add(std::move(draft));
}

std::string add_specimen_of_order(Mapping& mapping, const Segment& obr, std::string_view seed) {
  const Piece source = obr.field(15);
  if (!source.component(1).has_value()) return {};
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Specimen"}});
  set_if(body, "type", subcomponent_concept(mapping, source.component(1)));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  set_time(body, "receivedTime", fhir_time(mapping, obr.field(14)));
  Json collection = Json::object();
  set_if(collection, "collector", practitioner_reference(mapping, obr.field(10).repetition(0)));
  set_collected(mapping, obr.field(7), obr.field(8), collection);
  set_if(collection, "quantity", composite_quantity(mapping, obr.field(9)));
  set_if(collection, "bodySite", subcomponent_concept(mapping, source.component(4)));
  set_if(body, "collection", std::move(collection));
  set_if(body, "note", note_of(source.component(3).text()));
  draft.seed = cat("specimen|of order|", seed);
  draft.seed_at = seed_time(mapping, obr.field(7));
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

Json annotations(Mapping& mapping, const std::vector<const Segment*>& notes) {
  Json all = Json::array();
  for (const Segment* note : notes) {
    std::string text;
    for (std::size_t i = 0; i < note->field(3).repetitions(); ++i)
      text += cat(i == 0 ? "" : "\n", note->field(3).repetition(i).text());
    if (text.empty()) continue;
    Json made = Json::object();
    set_if(made, "authorReference", practitioner_reference(mapping, note->field(5).repetition(0)));
    set_time(made, "time", fhir_time(mapping, note->field(6)));
    made.set("text", text);
    all.add(std::move(made));
  }
  return all.size() == 0 ? Json() : all;
}

Json report_notes(Mapping& mapping, const std::vector<const Segment*>& notes) {
  Json all = Json::array();
  const Json made = annotations(mapping, notes);
  for (const Json& note : made.items()) {
    all.add(
        Json::object({{"url", "urn:clinic-gateway:extension:note"}, {"valueAnnotation", note}}));
  }
  return all.size() == 0 ? Json() : all;
}

}  // namespace gateway::adapters::hl7
