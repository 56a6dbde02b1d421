// OBS to Observation.
#include <charconv>

#include "adapters/mapping/coding_systems.h"
#include "adapters/mapping/fhir_values.h"
#include "adapters/poct1a/mapping.h"
#include "adapters/profiles/message_parts.h"
#include "adapters/profiles/result_parts.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;
using core::Json;
using mapping::set_if;

/// A range as POCT1-A writes it, "[80;120]"; an end that is not a number is open.
struct Range {
  std::string low;
  std::string high;
};

Range range_of(const Json& observation, std::string_view field) {
  std::string text = value(observation, field);
  std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
  const auto between = text.find(';');
  if (between == text.npos) return {};
  const auto number = [](std::string_view part) {
    part = core::trim(part);
    return mapping::decimal(part).is_null() ? std::string() : std::string(part);
  };
  const std::string_view whole = text;
  return {number(whole.substr(0, between)), number(whole.substr(between + 1))};
}

double number_of(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// What the observation is, in codes: those of the profile's map, else the sender's own system.
Json code_of(const Service& service, const Json& sent, const profiles::CodeRow* row) {
  const std::string code = local_code(sent);
  std::string name = attribute(sent, "OBS.observation_id", "DN");
  if (code.empty())
    return Json::object({{"text", name.empty() ? "OBS.observation_id not sent" : name}});
  Json made = profiles::code_of_test(service.site().name, code, row);
  if (row != nullptr) return made;
  const std::string system =
      mapping::coding_system_uri(attribute(sent, "OBS.observation_id", "SN"));
  if (!system.empty()) {
    Json codings = made["coding"];
    codings.add(profiles::coding(system, code));
    made.set("coding", std::move(codings));
  }
  if (!name.empty()) made.set("text", std::move(name));
  return made;
}

bool is_edit(const Service& service) { return value(service.body, "SVC.reason_cd") == "EDT"; }

/// POCT1-A's OBS.status_cd (A accepted, D discarded, R rejected) and SVC.reason_cd (EDT edited).
std::string status_of(const Service& service, const Json& sent, sync::IncomingMessage& out) {
  const std::string status = value(sent, "OBS.status_cd");
  if (status == "D" || status == "R") return "cancelled";
  if (!status.empty() && status != "A") {
    out.add(sync::MappingGap{"code", "OBS.status_cd", status, ""});
    return "preliminary";
  }
  return is_edit(service) ? "corrected" : "final";
}

void set_value(const Service& service, const Json& sent, const profiles::CodeRow* row, Json& body,
               sync::IncomingMessage& out) {
  const std::string number = value(sent, "OBS.value");
  const std::string word = value(sent, "OBS.qualitative_value");
  const std::string& told = number.empty() ? word : number;
  // What somebody threw away is no value to read.
  if (body["status"].text() == "cancelled") return profiles::set_absent(body, "error", told);
  if (told.empty()) return profiles::set_absent(body, "unknown", "");
  if (service.profile().is_run_failure(told)) return profiles::set_absent(body, "error", told);
  const std::string unit = attribute(sent, "OBS.value", "U");
  Json quantity = number.empty() ? Json() : profiles::quantity_of(service.profile(), number);
  if (quantity.is_null()) {
    // A unit promised a number.
    if (!number.empty() && !unit.empty()) out.add(sync::MappingGap{"value", "", "no number", ""});
    body.set("valueString", told);
    return;
  }
  profiles::set_unit(unit, row, quantity, out);
  body.set("valueQuantity", std::move(quantity));
}

/// "LL below critical 2.2" of a value beyond the limits the device names as critical; off its scale
/// (">33.3"), the limit itself is passed.
std::pair<std::string, std::string> critical_of(const Json& sent, const Json& quantity) {
  const std::string number = quantity["value"].number_text();
  const Range critical = range_of(sent, "OBS.critical_lo-hi_limit");
  if (number.empty()) return {};
  const std::string_view comparator = quantity["comparator"].text();
  const double value = number_of(number);
  const double low = number_of(critical.low);
  const double high = number_of(critical.high);
  if (!critical.low.empty() && (value < low || (value == low && comparator == "<")))
    return {"LL", cat("below critical ", critical.low)};
  if (!critical.high.empty() && (value > high || (value == high && comparator == ">")))
    return {"HH", cat("above critical ", critical.high)};
  return {};
}

/// As the device says; but a value beyond its own critical limits is critical whatever else it says
/// of it.
void set_interpretation(const Json& sent, Json& body) {
  const std::string flag = value(sent, "OBS.interpretation_cd");
  const std::string_view told = flag.empty() ? "" : profiles::interpretation_code(flag);
  const auto [found, why] = critical_of(sent, body["valueQuantity"]);
  const bool says_so = told == "AA" || told == "HH" || told == "LL";
  if (!found.empty() && !says_so)
    return profiles::set_interpretation(body, found, cat(flag, flag.empty() ? "" : "; ", why));
  if (!flag.empty()) profiles::set_interpretation(body, told, flag);
}

void set_range(const Json& sent, const profiles::CodeRow* row, Json& body,
               sync::IncomingMessage& out) {
  const std::string text = value(sent, "OBS.normal_lo-hi_limit");
  if (text.empty()) return;
  const Range normal = range_of(sent, "OBS.normal_lo-hi_limit");
  std::string unit = attribute(sent, "OBS.normal_lo-hi_limit", "U");
  if (unit.empty()) unit = attribute(sent, "OBS.value", "U");
  Json range = Json::object();
  const auto set_limit = [&](const char* member, const std::string& number) {
    if (number.empty()) return;
    Json limit = mapping::quantity(number);
    profiles::set_unit(unit, row, limit, out);
    range.set(member, std::move(limit));
  };
  set_limit("low", normal.low);
  set_limit("high", normal.high);
  range.set("text", text);
  body.set("referenceRange", Json::array({std::move(range)}));
}

void set_method(const Json& sent, Json& body) {
  const std::string method = value(sent, "OBS.method_cd");
  if (method == "C") body.set("method", Json::object({{"text", "calculated"}}));
  if (method == "I") body.set("method", Json::object({{"text", "entered by hand"}}));
}

void add_notes(const Service& service, const Json& of, Json& notes) {
  for (const Json* note : objects(of, "NTE")) {
    const std::string text = value(*note, "NTE.text");
    if (!text.empty() && !service.profile().is_own_note(text))
      notes.add(Json::object({{"text", text}}));
  }
}

}  // namespace

std::string add_observation(const Service& service, const ServiceContext& context, const Json& sent,
                            std::size_t occurrence, sync::IncomingMessage& out) {
  const std::string code = local_code(sent);
  const std::string unit = attribute(sent, "OBS.value", "U");
  const profiles::CodeMap::Found found = service.profile().codes.find(code, unit);
  if (found.is_impossible_pair && out.dead_because.empty())
    out.dead_because = profiles::impossible_pair(code, unit);
  const bool is_coded =
      !mapping::coding_system_uri(attribute(sent, "OBS.observation_id", "SN")).empty();
  if (found.row == nullptr && !is_coded) out.add(sync::MappingGap{"code", "", code, unit});

  sync::Draft draft;
  draft.kind = sync::DraftKind::result;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Observation"}});
  body.set("extension", profiles::made_by(service.profile()));
  body.set("status", status_of(service, sent, out));
  body.set("category", profiles::category_of("laboratory"));
  body.set("code", code_of(service, sent, found.row));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  mapping::set_time(body, "effectiveDateTime",
                    mapping::fhir_time(context.at, service.site().time_zone));
  set_if(body, "performer",
         profiles::performer_of(service.site().name,
                                value(object(service.body, "OPR"), "OPR.operator_id")));
  set_value(service, sent, found.row, body, out);
  set_interpretation(sent, body);
  set_method(sent, body);
  Json notes = Json::array();
  add_notes(service, sent, notes);
  add_notes(service, service.body, notes);
  set_if(body, "note", std::move(notes));
  set_if(body, "basedOn", profiles::orders_of_specimen(service.site(), context.specimen_id));
  if (!context.specimen.empty())
    body.set("specimen", Json::object({{"reference", context.specimen}}));
  body.set("device", Json::object({{"reference", context.device}}));
  set_range(sent, found.row, body, out);

  draft.is_edit = is_edit(service);
  draft.is_released = service.site().verifies(code);
  draft.seed = cat(context.seed, "|", code, "|", context.at, "|", occurrence);
  draft.seed_at = mapping::seed_time(context.at, service.site().time_zone);
  return out.add(std::move(draft));
}

}  // namespace gateway::adapters::poct1a
