// ORM^O01, OMG^O19, OML^O21/O33/O35 and REF^I12 to I14: ServiceRequest.
#include <algorithm>
#include <array>
#include <map>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/observation.h"
#include "adapters/hl7/mapping/order_groups.h"
#include "adapters/hl7/mapping/order_parts.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

std::string order_status(Mapping& mapping, const OrderGroup& group) {
  if (group.orc == nullptr) return "active";
  std::string told = code_of(kOrderStatus, group.orc->field(5).first());
  if (!told.empty()) return told;
  const std::string control = group.orc->field(1).first();
  std::string status = code_of(kOrderControl, control);
  if (!status.empty()) return status;
  constexpr std::array<std::string_view, 6> kSilent{"CA", "HD", "RE", "SC", "SN", "XO"};
  if (std::find(kSilent.begin(), kSilent.end(), control) == kSilent.end())
    mapping.gap("code", "HL70119", control);
  return {};  // it says nothing of where the order stands
}

std::string priority_of(const OrderGroup& group) {
  std::string sent = group.obr->field(5).first();
  if (sent.empty() && group.timing != nullptr) sent = group.timing->field(9).first();
  // Where 2.1 to 2.4 have it.
  if (sent.empty() && group.orc != nullptr) sent = group.orc->field(7).component(6).text();
  if (sent.empty()) sent = group.obr->field(27).component(6).text();
  return code_of(kOrderPriority, sent);
}

Json requester_of(Mapping& mapping, const OrderGroup& group) {
  const Piece ordering = group.orc == nullptr ? Piece() : group.orc->field(12);
  Json person = practitioner_reference(mapping, ordering.repetition(0));
  if (person.is_null())
    person = practitioner_reference(mapping, group.obr->field(16).repetition(0));
  if (person.is_null() && group.orc != nullptr) return organization_reference(group.orc->field(21));
  return person;
}

/// When it is wanted: TQ1-7, else OBR-6, else where 2.1 to 2.4 have it (ORC-7, OBR-27).
FhirTime wanted_at(const Mapping& mapping, const OrderGroup& group) {
  const Piece timing = group.timing == nullptr ? Piece() : group.timing->field(7);
  const Piece of_control = group.orc == nullptr ? Piece() : group.orc->field(7).component(4);
  for (const Piece& told :
       {timing, group.obr->field(6), of_control, group.obr->field(27).component(4)}) {
    FhirTime at = fhir_time(mapping, told);
    if (!at.text.empty()) return at;
  }
  return {};
}

/// The order's notes, and what TQ1-11 says in words of when and how.
Json order_notes(Mapping& mapping, const OrderGroup& group) {
  Json notes = annotations(mapping, group.notes);
  const std::string told = group.timing == nullptr ? "" : group.timing->field(11).text();
  if (!told.empty()) notes.add(Json::object({{"text", told}}));
  return notes;
}

void set_times(Mapping& mapping, const OrderGroup& group, Json& body) {
  set_time(body, "occurrenceDateTime", wanted_at(mapping, group));
  if (group.orc != nullptr && group.orc->field(1).first() == "NW")
    set_time(body, "authoredOn", fhir_time(mapping, group.orc->field(9)));
}

void map_order(Mapping& mapping, const OrderGroup& group, bool is_number_shared,
               const Json& encounter) {
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "ServiceRequest"}});
  Json identifiers = order_identifiers(mapping, group);
  draft.known_as = business_ids(identifiers);
  std::string seed = cat("order|", group.obr->field(4).first());
  for (const sync::BusinessId& id : draft.known_as) seed += cat("|", id.system, "|", id.value);
  if (draft.known_as.empty()) seed += cat("|", mapping.message().header().field(10).raw());
  if (is_number_shared) draft.known_as.clear();  // number and test together are it: the seed
  set_if(body, "identifier", std::move(identifiers));
  std::string status = order_status(mapping, group);
  if (status.empty()) draft.status_if_new = "active";
  set_if(body, "status", std::move(status));
  body.set("intent", group.obr->field(11).first() == "G" ? "reflex-order" : "order");
  set_if(body, "priority", priority_of(group));
  set_if(body, "code", codeable_concept(mapping, group.obr->field(4)));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  set_if(body, "encounter", encounter);
  set_times(mapping, group, body);
  set_if(body, "requester", requester_of(mapping, group));
  set_if(body, "reasonCode", each_repetition(group.obr->field(31), [&](const Piece& one) {
           return codeable_concept(mapping, one);
         }));
  set_if(body, "note", order_notes(mapping, group));
  if (group.orc != nullptr) {
    set_if(body, "requisition", ei_identifier(mapping, group.orc->field(4), "PGN"));
  }
  Json specimens = Json::array();
  for (const Segment* spm : group.specimens)
    specimens.add(
        Json::object({{"reference", add_specimen(mapping, *spm, group.obr, seed, Piece())}}));
  set_if(body, "specimen", std::move(specimens));
  ObservationContext context;
  context.obr = group.obr;
  context.seed = seed;
  context.encounter = encounter;
  Json supporting = Json::array();
  std::map<std::string, std::size_t> seen;
  for (const ObservationGroup& one : group.observations) {
    const std::string key = cat(one.obx->field(3).raw(), "|", one.obx->field(4).raw());
    const std::string reference = add_observation(mapping, one, context, seen[key]++);
    supporting.add(Json::object({{"reference", reference}}));
  }
  set_if(body, "supportingInfo", std::move(supporting));
  draft.seed = std::move(seed);
  mapping.add(std::move(draft));
}

/// An order that is held, told by ORC alone: where it stands now. False: it says nothing of one.
bool map_control(Mapping& mapping, const OrderGroup& group) {
  sync::Draft draft;
  const Json identifiers = order_identifiers(mapping, group);
  draft.known_as = business_ids(identifiers);
  const std::string status = order_status(mapping, group);
  if (draft.known_as.empty() || status.empty()) return false;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "ServiceRequest"}, {"status", status}});
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  draft.is_edit = true;
  draft.seed = cat("order-control|", draft.known_as[0].system, "|", draft.known_as[0].value);
  mapping.add(std::move(draft));
  return true;
}

/// Whether the message has several tests under one order number: then the number alone does not say
/// which of them is meant.
bool share_a_number(const std::vector<OrderGroup>& groups) {
  std::map<std::string, std::string> tests;
  for (const OrderGroup& group : groups) {
    if (group.obr == nullptr) continue;
    for (const std::size_t number : {2U, 3U}) {
      const Piece id = order_number(group, number);
      if (!id.has_value()) continue;
      const std::string test = group.obr->field(4).first();
      const auto [known, is_new] = tests.emplace(cat(number, "|", id.raw()), test);
      if (!is_new && known->second != test) return true;
    }
  }
  return false;
}

/// I14 withdraws it; else RF1-1 says where it stands, and an update may be silent about it.
void set_referral_status(Mapping& mapping, const Segment& referral, std::string_view event,
                         sync::Draft& draft) {
  const std::string sent = to_upper_letter(referral.field(1).first());
  std::string status = event == "I14" ? "revoked" : code_of(kReferralStatus, sent);
  if (status.empty() && !sent.empty()) mapping.gap("code", "HL70283", sent);
  if (status.empty() && event == "I13") {
    draft.status_if_new = "active";
    return;
  }
  draft.body.set("status", status.empty() ? "active" : status);
}

}  // namespace

void map_orders(Mapping& mapping) {
  const std::vector<OrderGroup> groups = order_groups(mapping);
  const Json encounter = encounter_reference(mapping);
  const bool is_shared = share_a_number(groups);
  bool any = false;
  for (const OrderGroup& group : groups) {
    if (group.obr != nullptr) {
      any = true;
      map_order(mapping, group, is_shared, encounter);
    } else if (group.orc != nullptr) {
      any = map_control(mapping, group) || any;
    } else {
      for (const ObservationGroup& one : group.observations) mapping.not_mapped(*one.obx);
    }
  }
  if (!any) mapping.out().dead_because = "the message holds no OBR: no order this gateway maps";
}

void map_referral(Mapping& mapping, std::string_view event) {
  const Segment* referral = mapping.message().find("RF1");
  if (referral == nullptr) {
    mapping.out().dead_because = "a referral without RF1";
    return;
  }
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "ServiceRequest"}});
  Json identifiers = Json::array();
  for (const auto& [number, type] : {std::pair{6U, "PLAC"}, std::pair{11U, "FILL"}}) {
    Json one = ei_identifier(mapping, referral->field(number), type);
    if (!one.is_null()) identifiers.add(std::move(one));
  }
  draft.known_as = business_ids(identifiers);
  set_if(body, "identifier", identifiers);
  set_referral_status(mapping, *referral, event, draft);
  body.set("intent", "order");
  set_if(body, "priority", code_of(kOrderPriority, referral->field(2).first()));
  if (Json kind = codeable_concept(mapping, referral->field(3)); !kind.is_null())
    body.set("category", Json::array({std::move(kind)}));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  set_if(body, "encounter", encounter_reference(mapping));
  set_time(body, "authoredOn", fhir_time(mapping, referral->field(9)));
  set_time(body, "occurrenceDateTime", fhir_time(mapping, referral->field(7)));
  set_if(body, "reasonCode", each_repetition(referral->field(10), [&](const Piece& one) {
           return codeable_concept(mapping, one);
         }));
  Json performers = Json::array();
  for (const Segment& segment : mapping.message().segments()) {
    if (segment.name != "PRD") continue;
    Json name = human_name(mapping, segment.field(2).repetition(0));
    if (name.is_null()) continue;
    std::string display(name["family"].text());
    for (const Json& given : name["given"].items()) display = cat(given.text(), " ", display);
    Json person = Json::object({{"type", "Practitioner"}, {"display", display}});
    const std::string role = segment.field(1).first();
    if (role == "RP") body.set("requester", std::move(person));
    if (role == "RT")
      performers.add(Json::object({{"type", "Practitioner"}, {"display", display}}));
  }
  set_if(body, "performer", std::move(performers));
  draft.seed = cat("referral|", referral->field(6).raw(), "|", referral->field(11).raw());
  if (draft.known_as.empty()) draft.seed += mapping.message().header().field(10).raw();
  mapping.add(std::move(draft));
}

}  // namespace gateway::adapters::hl7
