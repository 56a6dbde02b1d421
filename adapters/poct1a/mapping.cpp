#include "adapters/poct1a/mapping.h"

#include <algorithm>
#include <array>
#include <map>

#include "adapters/fields/field_mapping.h"
#include "adapters/mapping/fhir_values.h"
#include "adapters/profiles/message_parts.h"
#include "adapters/profiles/result_parts.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;
using core::Json;
using mapping::set_if;

// What a service's role (SVC.role_cd) may be besides OBS, a patient's.
constexpr std::array<std::string_view, 6> kControlRoles{"LQC", "EQC", "CVR", "CAL", "PRF", "LIN"};
constexpr std::array<std::string_view, 8> kKnownObjects{"PT",  "CTC", "OPR", "ORD",
                                                        "SPC", "RGT", "NTE", "OBS"};

template <std::size_t Size>
bool is_among(std::string_view name, const std::array<std::string_view, Size>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A time of the document as YYYYMMDD..., in its own zone or without one.
std::string time_at(const Json& object, std::string_view field) {
  return fields::compact_time(value(object, field), profiles::DateOrder::year_first);
}

profiles::ValueAt values_of(const Service& service) {
  return [&service](const profiles::Place& place) { return value_at(service, place); };
}

/// Parts where there are parts; a text alone does not say which is the family's.
Json human_name(const Json& patient) {
  const Json& sent = object(patient, "PT.name");
  Json name = Json::object();
  set_if(name, "family", value(sent, "FAM"));
  if (const std::string given = value(sent, "GIV"); !given.empty())
    name.set("given", Json::array({given}));
  if (name.size() == 0) set_if(name, "text", value(patient, "PT.name"));
  return name.size() == 0 ? Json() : name;
}

void map_patient(const Service& service, sync::IncomingMessage& out) {
  out.patient.is_required = true;
  const Json& patient = object(service.body, "PT");
  if (patient.is_null()) return;
  std::string id = profiles::value_by(service.profile().patient_id, values_of(service));
  const std::string operator_id = value(object(service.body, "OPR"), "OPR.operator_id");
  if (!id.empty() && id == operator_id) {
    out.add(sync::MappingGap{"value", "", "PT",
                             "the operator's id stands where the patient's belongs"});
    id.clear();
  }
  if (service.profile().is_nobody(id)) id.clear();
  profiles::tell_patient(
      service.site(),
      {std::move(id), human_name(patient), profiles::gender_of(value(patient, "PT.gender_cd")),
       mapping::fhir_time(time_at(patient, "PT.birth_date"), service.site().time_zone)
           .text.substr(0, 10)},
      out.patient);
}

/// The device, known by its serial.
std::string serial_of(const Service& service) {
  std::string serial = profiles::value_by(service.profile().serial, values_of(service));
  if (serial.empty()) serial = service.hello["DEV.serial_id"].text();
  if (serial.empty()) serial = service.hello["DEV.device_id"].text();
  return serial.empty() ? service.site().name : serial;
}

std::vector<const Json*> observations_of(const Service& service) {
  std::vector<const Json*> all = objects(object(service.body, "PT"), "OBS");
  for (const Json* one : objects(service.body, "OBS")) all.push_back(one);
  return all;
}

ServiceContext context_of(const Service& service, sync::IncomingMessage& out) {
  ServiceContext context;
  const std::string serial = serial_of(service);
  context.device = out.add(profiles::device_draft(service.profile(), service.site().name, serial));
  context.at = time_at(service.body, "SVC.observation_dttm");
  context.specimen_id = profiles::value_by(service.profile().specimen_id, values_of(service));
  const Json& specimen = object(service.body, "SPC");
  std::string kind = attribute(specimen, "SPC.type_cd", "DN");
  if (kind.empty()) kind = value(specimen, "SPC.type_cd");
  context.specimen = profiles::add_specimen(
      service.site(),
      {context.specimen_id, std::move(kind),
       mapping::fhir_time(time_at(specimen, "SPC.specimen_dttm"), service.site().time_zone)},
      out);
  context.seed = cat(serial, "|", context.specimen_id);
  // Without a time only the very message is the same again.
  if (context.at.empty()) {
    context.seed += cat("|", service.document.control_id(), "|",
                        value(object(service.document.root(), "HDR"), "HDR.creation_dttm"));
  }
  return context;
}

/// Of a service with an order; without one there is nothing to report on.
void add_report(const Service& service, const ServiceContext& context, Json results,
                sync::Draft draft, sync::IncomingMessage& out) {
  const Json& order = object(service.body, "ORD");
  if (order.is_null()) return;
  draft.kind = sync::DraftKind::result;
  std::string test = attribute(order, "ORD.universal_service_id", "DN");
  if (test.empty()) test = value(order, "ORD.universal_service_id");
  Json& body = draft.body;
  set_if(body, "basedOn", profiles::orders_of_specimen(service.site(), context.specimen_id));
  body.set("code", Json::object({{"text", test.empty() ? service.profile().device : test}}));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  mapping::set_time(body, "effectiveDateTime",
                    mapping::fhir_time(context.at, service.site().time_zone));
  if (!context.specimen.empty())
    body.set("specimen", Json::array({Json::object({{"reference", context.specimen}})}));
  body.set("result", std::move(results));
  draft.seed = cat("report|", context.seed, "|", test, "|", context.at);
  draft.seed_at = mapping::seed_time(context.at, service.site().time_zone);
  out.add(std::move(draft));
}

void map_observations(const Service& service, const ServiceContext& context,
                      const std::vector<const Json*>& sent, sync::IncomingMessage& out) {
  const std::size_t first = out.drafts.size();
  Json results = Json::array();
  std::map<std::string, std::size_t> seen;  // replicates of a test
  sync::Draft report;
  for (const Json* one : sent) {
    const std::string code = local_code(*one);
    results.add(
        Json::object({{"reference", add_observation(service, context, *one, seen[code]++, out)}}));
    report.is_released = report.is_released && service.site().verifies(code);
  }
  report.body = Json::object({{"resourceType", "DiagnosticReport"}});
  report.body.set("status", profiles::report_status(out, first));
  add_report(service, context, std::move(results), std::move(report), out);
}

void count_unread(const Service& service, sync::IncomingMessage& out) {
  for (const auto& [name, ignored] : service.body.members()) {
    if (!name.starts_with("SVC.") && !is_among(name, kKnownObjects))
      out.add(sync::MappingGap{"segment", "", name, ""});
  }
}

}  // namespace

std::string value_at(const Service& service, const profiles::Place& place) {
  const std::string_view element = place.element;
  const std::string_view of = element.substr(0, element.find('.'));
  if (of == "DEV") return std::string(service.hello[element].text());
  if (of == "HDR") return value(object(service.document.root(), "HDR"), element);
  if (of == "SVC") return value(service.body, element);
  for (const Json* one : objects(service.body, of)) {
    if (std::string found = value(*one, element); !found.empty()) return found;
  }
  return {};
}

bool is_control(const Service& service) {
  if (is_among(value(service.body, "SVC.role_cd"), kControlRoles)) return true;
  if (!object(service.body, "CTC").is_null()) return true;
  const auto& tests = service.profile().qc;
  return std::any_of(tests.begin(), tests.end(),
                     [&](const auto& test) { return profiles::holds(test, values_of(service)); });
}

std::string local_code(const Json& observation) { return value(observation, "OBS.observation_id"); }

void map_service(const Service& service, sync::IncomingMessage& out) {
  out.event_at =
      mapping::utc_instant(time_at(object(service.document.root(), "HDR"), "HDR.creation_dttm"),
                           service.site().time_zone);
  map_patient(service, out);
  count_unread(service, out);
  const std::string role = value(service.body, "SVC.role_cd");
  const auto sent = observations_of(service);
  if (!role.empty() && role != "OBS") {
    // Whether it is of a patient is not guessed.
    out.dead_because = cat("its role SVC.role_cd is unknown; where it means a control, add ",
                           "\"SVC.role_cd=...\" to qc in the profile, then retry");
  } else if (sent.empty()) {
    out.dead_because = "no observation is in it";
  } else {
    map_observations(service, context_of(service, out), sent, out);
  }
  if (!out.dead_because.empty()) out.drafts.clear();
}

}  // namespace gateway::adapters::poct1a
