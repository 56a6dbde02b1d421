// ORU^R01 and OUL^R22 to R24: Specimen, Observation and DiagnosticReport per order group.
#include <algorithm>
#include <map>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/observation.h"
#include "adapters/hl7/mapping/order_groups.h"
#include "adapters/hl7/mapping/order_parts.h"
#include "adapters/hl7/mapping/profiled.h"
#include "adapters/mapping/replicates.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

/// What makes the group's results the same again; without order, specimen and time only the very
/// message does.
std::string group_seed(const Mapping& mapping, const OrderGroup& group) {
  const Segment& header = mapping.message().header();
  std::string seed = cat(header.field(3).raw(), "|", header.field(4).raw());
  bool is_told = false;
  const auto add = [&](const Piece& piece) {
    seed += cat("|", piece.raw());
    is_told = is_told || piece.has_value();
  };
  if (group.obr != nullptr) {
    add(order_number(group, 2));
    add(order_number(group, 3));
    add(group.obr->field(7));
    seed += cat("|", group.obr->field(4).first());
    // Of a culture: which organism these susceptibilities are of.
    const Piece parent = group.obr->field(26);
    if (parent.has_value())
      seed += cat("|", parent.component(1).raw(), "|", parent.component(2).raw());
  }
  for (const Segment* specimen : group.specimens) add(specimen->field(2));
  const bool timed =
      !group.observations.empty() && group.observations.front().obx->field(14).has_value();
  if (!is_told && !timed) seed += cat("|", header.field(7).raw(), "|", header.field(10).raw());
  return seed;
}

/// OBX-11 says that the result was sent before.
bool corrects_another(const Segment& obx) {
  const std::string status = obx.field(11).first();
  return status == "A" || status == "C" || status == "D" || status == "W";
}

/// What was measured was no patient's: a blind sample, a calibrator, a control, a proficiency test
/// (SPM-11, table 0369).
bool is_control(const OrderGroup& group) {
  constexpr std::string_view kControlRoles = "BCEFOQV";
  const auto is_of_control = [&](const Segment* specimen) {
    const std::string role = specimen->field(11).first();
    return role.size() == 1 && kControlRoles.find(role) != std::string_view::npos;
  };
  // Beside a patient's specimen it is a patient's result.
  return !group.specimens.empty() && std::ranges::all_of(group.specimens, is_of_control);
}

/// Documents among the observations as what the report looks like; of a document and its correction
/// the correction.
Json presented_forms(const std::vector<sync::Draft>& drafts, std::size_t first) {
  std::map<std::string_view, std::size_t> last;
  for (std::size_t i = first; i < drafts.size(); ++i) last[drafts[i].seed] = i;
  Json forms = Json::array();
  for (std::size_t i = first; i < drafts.size(); ++i) {
    const std::string_view status = drafts[i].body["status"].text();
    if (status == "entered-in-error" || status == "cancelled" || last[drafts[i].seed] != i)
      continue;
    for (const Json& extension : drafts[i].body["extension"].items()) {
      if (extension["url"].text() == kAttachmentValue) forms.add(extension["valueAttachment"]);
    }
  }
  return forms.size() == 0 ? Json() : forms;
}

bool withdraws_document(const ObservationGroup& group) {
  const std::string kind = group.obx->field(2).first();
  const std::string status = group.obx->field(11).first();
  return (kind == "ED" || kind == "RP") && (status == "D" || status == "W" || status == "X");
}

/// What the report of a group holds.
struct ReportParts {
  Json specimens = Json::array();
  Json results = Json::array();
  Json forms;
};

void add_report(Mapping& mapping, const OrderGroup& group, const ObservationContext& context,
                const ReportParts& parts) {
  const Segment& obr = *group.obr;
  sync::Draft draft;
  draft.kind = sync::DraftKind::result;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "DiagnosticReport"}});
  set_if(body, "identifier", order_identifiers(mapping, group));
  if (!context.based_on.is_null()) body.set("basedOn", Json::array({context.based_on}));
  const std::string sent = obr.field(25).first();
  const std::string status = code_of(kReportStatus, sent);
  if (status.empty() && !sent.empty()) mapping.gap("code", "HL70123", sent);
  body.set("status", status.empty() ? "unknown" : status);
  if (Json category = table_concept(mapping, obr.field(24), "0074"); !category.is_null())
    body.set("category", Json::array({category}));
  Json code = codeable_concept(mapping, obr.field(4));
  body.set("code", code.is_null() ? Json::object({{"text", "OBR-4 not sent"}}) : std::move(code));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  set_if(body, "encounter", context.encounter);
  if (obr.field(8).has_value()) {
    Json period = Json::object();
    set_time(period, "start", fhir_time(mapping, obr.field(7)));
    set_time(period, "end", fhir_time(mapping, obr.field(8)));
    set_if(body, "effectivePeriod", std::move(period));
  } else {
    set_time(body, "effectiveDateTime", fhir_time(mapping, obr.field(7)));
  }
  // An instant has a time of day; a date alone is kept in the raw message.
  if (const FhirTime issued = fhir_time(mapping, obr.field(22)); issued.text.size() > 10)
    set_time(body, "issued", issued);
  set_if(body, "resultsInterpreter", each_repetition(obr.field(32), [&](const Piece& one) {
           return interpreter_reference(mapping, one);
         }));
  set_if(body, "specimen", parts.specimens);
  set_if(body, "result", parts.results);
  // What was withdrawn, or was another patient's, must not go on standing there.
  if (parts.forms.is_null() && std::ranges::any_of(group.observations, withdraws_document))
    draft.erased.emplace_back("presentedForm");
  set_if(body, "presentedForm", parts.forms);
  set_if(body, "extension", report_notes(mapping, group.notes));
  draft.is_released = !group.observations.empty();
  for (const ObservationGroup& one : group.observations) {
    draft.is_released =
        draft.is_released && mapping.device().verifies(test_code(mapping, *one.obx));
  }
  draft.is_edit = status == "corrected" ||
                  std::ranges::any_of(group.observations,
                                      [](const auto& one) { return corrects_another(*one.obx); });
  draft.seed = cat("report|", context.seed);
  draft.seed_at = seed_time(mapping, obr.field(7));
  mapping.add(std::move(draft));
}

/// By the analyzer's profile, else by SPM, else by the order (OBR-15).
void add_specimens(Mapping& mapping, const OrderGroup& group, ObservationContext& context,
                   ReportParts& parts) {
  const auto refer = [&](const std::string& specimen) {
    if (specimen.empty()) return;
    if (context.specimen.empty()) context.specimen = specimen;
    parts.specimens.add(Json::object({{"reference", specimen}}));
  };
  if (set_profiled_specimen(mapping, group, context)) return refer(context.specimen);
  const Piece collected = group.obr == nullptr ? Piece() : group.obr->field(7);
  for (const Segment* spm : group.specimens)
    refer(add_specimen(mapping, *spm, group.obr, context.seed, collected));
  if (group.specimens.empty() && group.obr != nullptr)
    refer(add_specimen_of_order(mapping, *group.obr, context.seed));
}

void map_group(Mapping& mapping, const OrderGroup& group, std::string seed, const Json& encounter,
               const std::string& device) {
  ObservationContext context;
  context.device = device;
  context.obr = group.obr;
  context.seed = std::move(seed);
  context.encounter = encounter;
  if (group.obr != nullptr) {
    context.based_on = placer_reference(mapping, group);
    context.fallback_status = code_of(kReportStatus, group.obr->field(25).first());
    if (context.fallback_status == "partial") context.fallback_status = "preliminary";
  }
  ReportParts parts;
  add_specimens(mapping, group, context, parts);
  const std::size_t first = mapping.out().drafts.size();
  mapping::Replicates replicates;
  for (const ObservationGroup& one : group.observations) {
    const std::string key = cat(one.obx->field(3).raw(), "|", one.obx->field(4).raw());
    const bool corrects = corrects_another(*one.obx);
    const auto place = replicates.place_of(key, corrects);
    const std::string reference = add_observation(mapping, one, context, place.number);
    if (place.is_new) parts.results.add(Json::object({{"reference", reference}}));
    mapping.out().drafts.back().is_edit = corrects;
  }
  parts.forms = presented_forms(mapping.out().drafts, first);
  if (group.obr != nullptr) add_report(mapping, group, context, parts);
}

}  // namespace

void map_results(Mapping& mapping) {
  const std::vector<OrderGroup> groups = order_groups(mapping);
  const Json encounter = encounter_reference(mapping);
  std::map<std::string, std::size_t> seen;  // what is measured twice under one order
  bool is_all_control = !groups.empty();
  std::string device;
  for (const OrderGroup& group : groups) {
    const bool is_profiled = is_profiled_control(mapping, group);
    if (is_profiled || is_control(group)) {
      mapping.gap("code", "HL70369", is_profiled ? "Q" : group.specimens.front()->field(11).first(),
                  "results of a control, kept in the raw message");
      continue;
    }
    is_all_control = false;
    if (device.empty()) device = add_profiled_device(mapping, group);
    std::string seed = group_seed(mapping, group);
    if (const std::size_t before = seen[seed]++; before > 0) seed += cat("|group ", before);
    map_group(mapping, without_own_values(mapping, group), std::move(seed), encounter, device);
  }
  if (is_all_control) {
    mapping.out().patient = {};  // whoever stands there is none
    mapping.out().kind += kControl;
  }
  if (groups.empty()) mapping.out().dead_because = "the message holds no OBR and no OBX";
}

}  // namespace gateway::adapters::hl7
