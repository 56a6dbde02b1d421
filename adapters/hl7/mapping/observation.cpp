#include "adapters/hl7/mapping/observation.h"

#include <algorithm>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/order_parts.h"
#include "adapters/hl7/mapping/profiled.h"
#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

/// The numbers of "4.3 to 6.2", "3.5-5.1"; what is written otherwise stays text only.
void set_range_limits(Mapping& mapping, std::string_view text, const Piece& units, Json& range) {
  for (const std::string_view between : {" to ", "-", "\xe2\x80\x93"}) {
    const auto at = text.find(between, 1);
    if (at == std::string_view::npos) continue;
    Json low = quantity(mapping, text.substr(0, at), units);
    Json high = quantity(mapping, text.substr(at + between.size()), units);
    if (low.is_null() || high.is_null()) continue;
    range.set("low", std::move(low));
    range.set("high", std::move(high));
    return;
  }
}

void set_reference_range(Mapping& mapping, const Segment& obx, Json& body) {
  const std::string text = obx.field(7).text();
  if (text.empty()) return;
  Json range = Json::object();
  if (!body["valueQuantity"].is_null()) set_range_limits(mapping, text, obx.field(6), range);
  range.set("text", text);
  body.set("referenceRange", Json::array({range}));
}

/// A code of HL7's table 0078; what else a device writes here stays a text, or a code of the system
/// it names: it must not pass for the standard's.
Json interpretation(Mapping& mapping, const Piece& flag) {
  const std::string code = flag.component(1).text();
  const std::string system = flag.component(3).text();
  const bool is_of_table = system.empty() || system.starts_with("HL7");
  if (!is_of_table) return codeable_concept(mapping, flag);
  if (is_standard_code("0078", code)) {
    const Json coding = Json::object(
        {{"system", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"},
         {"code", code}});
    return Json::object({{"coding", Json::array({coding})}});
  }
  const std::string display = flag.component(2).text();
  const std::string& text = display.empty() ? code : display;
  if (text.empty()) return {};
  mapping.gap("code", "HL70078", text);
  return Json::object({{"text", text}});
}

void set_interpretation(Mapping& mapping, const Segment& obx, Json& body) {
  set_if(body, "interpretation", each_repetition(obx.field(8), [&](const Piece& one) {
           return interpretation(mapping, one);
         }));
}

Json device_reference(Mapping& mapping, const Segment& obx) {
  Json identifier = ei_identifier(mapping, obx.field(18), "");
  if (identifier.is_null()) return {};
  Json made = Json::object({{"type", "Device"}});
  made.set("display", identifier["value"]);
  made.set("identifier", std::move(identifier));
  return made;
}

void set_performers(Mapping& mapping, const Segment& obx, Json& body) {
  Json performers = each_repetition(
      obx.field(16), [&](const Piece& one) { return practitioner_reference(mapping, one); });
  // OBX-15, a code and its text, is where the laboratory stood before there was OBX-23.
  Json organization = organization_reference(obx.field(23));
  const std::string producer = obx.field(15).component(2).text();
  if (organization.is_null() && !producer.empty())
    organization = Json::object({{"type", "Organization"}, {"display", producer}});
  if (!organization.is_null()) performers.add(std::move(organization));
  set_if(body, "performer", std::move(performers));
}

std::string status_of(Mapping& mapping, const Segment& obx, const ObservationContext& context) {
  const std::string sent = obx.field(11).first();
  std::string status = code_of(kObservationStatus, sent);
  if (!status.empty()) return status;
  if (!sent.empty()) mapping.gap("code", "HL70085", sent);
  return context.fallback_status.empty() ? "unknown" : context.fallback_status;
}

}  // namespace

std::string add_observation(Mapping& mapping, const ObservationGroup& group,
                            const ObservationContext& context, std::size_t occurrence) {
  const Segment& obx = *group.obx;
  sync::Draft draft;
  draft.kind = sync::DraftKind::result;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Observation"}});
  if (Json id = ei_identifier(mapping, obx.field(21), "FILL"); !id.is_null())
    body.set("identifier", Json::array({id}));
  if (!context.based_on.is_null()) body.set("basedOn", Json::array({context.based_on}));
  body.set("status", status_of(mapping, obx, context));
  Json code = codeable_concept(mapping, obx.field(3));
  body.set("code", code.is_null() ? Json::object({{"text", "OBX-3 not sent"}}) : std::move(code));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  set_if(body, "encounter", context.encounter);
  const Piece ordered_at = context.obr == nullptr ? Piece() : context.obr->field(7);
  const Piece at = obx.field(14).has_value() ? obx.field(14) : ordered_at;
  set_time(body, "effectiveDateTime", fhir_time(mapping, at));
  set_performers(mapping, obx, body);
  if (!set_profiled_value(mapping, obx, body)) set_observation_value(mapping, obx, body);
  set_interpretation(mapping, obx, body);
  set_if(body, "note", annotations(mapping, group.notes));
  set_if(body, "bodySite", codeable_concept(mapping, obx.field(20)));
  set_if(body, "method", codeable_concept(mapping, obx.field(17)));
  if (!context.specimen.empty())
    body.set("specimen", Json::object({{"reference", context.specimen}}));
  set_if(body, "device", device_reference(mapping, obx));
  if (!context.device.empty()) body.set("device", Json::object({{"reference", context.device}}));
  set_reference_range(mapping, obx, body);
  set_profiled_code(mapping, obx, body);

  draft.is_released = mapping.device().verifies(test_code(mapping, obx));
  // The order's time stays the same in a correction; without one the result's own must do.
  const Piece key_time = ordered_at.has_value() ? ordered_at : obx.field(14);
  draft.seed = cat(context.seed, "|", key_time.raw(), "|", obx.field(3).raw(), "|",
                   obx.field(4).raw(), "|", obx.field(18).raw(), "|", occurrence);
  draft.seed_at = seed_time(mapping, key_time);
  return mapping.add(std::move(draft));
}

}  // namespace gateway::adapters::hl7
